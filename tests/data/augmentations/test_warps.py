from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Generator, Tensor
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as transforms

from cnnctl.data.augmentations import Augmentation
from cnnctl.data.augmentations.boxes import random_sides
from cnnctl.data.augmentations.places import padded
from cnnctl.data.augmentations.warps import (
    cropped,
    perspective_grid,
    random_corners,
    sampled,
    warped,
)
from tests.data.augmentations.conftest import LEVELS, augment

BLACK = LEVELS.black
NO_BLACK = torch.zeros(3, 1, 1)


def corners_of(count: int, height: int, width: int, distortion_scale: float) -> Tensor:
    generator = Generator().manual_seed(0)
    return random_corners(
        count, height=height, width=width, distortion_scale=distortion_scale, generator=generator
    )


def images(count: int = 5, height: int = 8, width: int = 6) -> Tensor:
    return torch.randn(count, 3, height, width, generator=Generator().manual_seed(0))


@settings(deadline=None, max_examples=25)
@given(
    angle=st.floats(-180, 180),
    right=st.integers(-3, 3),
    down=st.integers(-3, 3),
    scale=st.floats(0.5, 2),
    shear=st.floats(-40, 40),
)
def test_an_affine_map_is_torchvisions(
    angle: float, right: int, down: int, scale: float, shear: float
) -> None:
    expected = transforms.affine(
        images(1),
        angle=angle,
        translate=[right, down],
        scale=scale,
        shear=[shear, 0.0],
        interpolation=InterpolationMode.BILINEAR,
    )
    amounts = dict(angle=angle, right=right, down=down, scale=scale, shear=shear)
    each = {name: torch.tensor([float(value)]) for name, value in amounts.items()}
    found = warped(images(1), **each, black=torch.zeros(3, 1, 1))
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=0)


def test_what_comes_in_weighs_as_much_as_black_pixels_there_would() -> None:
    none, one = torch.zeros(5), torch.ones(5)
    amounts = dict(angle=33 * one, right=one, down=none, scale=0.7 * one, shear=9 * one)
    wide = padded(images(), padding=6, mode="zeros", black=BLACK)
    expected = warped(wide, **amounts, black=BLACK)[:, :, 6:-6, 6:-6]
    found = warped(images(), **amounts, black=BLACK)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_map_without_a_change_changes_nothing() -> None:
    for written in ({"rotation": 0}, {"affine": 0}):
        torch.testing.assert_close(augment(written, images()), images())


def test_a_whole_shift_moves_pixels_and_brings_in_black() -> None:
    none, one = torch.zeros(5), torch.ones(5)
    out = warped(images(), angle=none, right=2 * one, down=-one, scale=one, shear=none, black=BLACK)
    torch.testing.assert_close(out[:, :, :-1, 2:], images()[:, :, 1:, :-2])
    torch.testing.assert_close(out[:, :, :, :2], BLACK.expand(5, 3, 8, 2))


def test_a_quarter_turn_is_that_of_torch() -> None:
    square = images(height=7, width=7)
    none, one = torch.zeros(5), torch.ones(5)
    out = warped(square, angle=90 * one, right=none, down=none, scale=one, shear=none, black=BLACK)
    torch.testing.assert_close(out, square.rot90(-1, dims=(2, 3)), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(8, 6), (21, 33), (32, 32)])
@pytest.mark.parametrize("distortion_scale", [0.2, 0.5, 0.6])
def test_a_perspective_is_torchvisions(height: int, width: int, distortion_scale: float) -> None:
    inputs = images(20, height, width)
    corners = corners_of(20, height, width, distortion_scale)
    found = sampled(inputs, perspective_grid(corners, height=height, width=width), black=NO_BLACK)
    whole = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
    for image, moved, out in zip(inputs, corners.tolist(), found, strict=True):
        expected = transforms.perspective(image, startpoints=whole, endpoints=moved)
        torch.testing.assert_close(out, expected, atol=1e-3, rtol=0)


def test_corners_move_inwards_as_far_as_in_torchvision() -> None:
    corners = corners_of(3000, 12, 9, 0.5)
    assert corners.amin(dim=0).tolist() == [[0, 0], [6, 0], [6, 8], [0, 8]]
    assert corners.amax(dim=0).tolist() == [[2, 3], [8, 3], [8, 11], [2, 11]]


@pytest.mark.parametrize("side", [1, 2, 3, 4, 32])
def test_even_corners_that_meet_make_a_picture(side: int) -> None:
    inputs = images(500, side, side)
    out = augment({"perspective": {"distortion_scale": 1.0, "p": 1.0}}, inputs)
    assert out.isfinite().all()


def test_a_perspective_without_distortion_changes_nothing() -> None:
    out = augment({"perspective": {"distortion_scale": 0.0, "p": 1.0}}, images())
    torch.testing.assert_close(out, images(), atol=1e-5, rtol=0)


def test_as_many_views_change_as_the_chance_says() -> None:
    inputs = images(2000)
    changed = (augment({"perspective": {"p": 0.25}}, inputs) != inputs).flatten(1).any(dim=1).sum()
    assert abs(int(changed) - 500) < 100  # five standard deviations
    assert torch.equal(augment({"perspective": {"p": 0.0}}, inputs), inputs)


def test_a_resized_crop_is_torchvisions() -> None:
    inputs = images(6, 12, 9)
    boxes = dict(
        top=[0, 3, 11, 0, 5, 2],
        left=[0, 2, 8, 4, 0, 1],
        tall=[12, 5, 1, 7, 6, 3],
        wide=[9, 6, 1, 5, 9, 2],
    )
    each = {name: torch.tensor([float(n) for n in numbers]) for name, numbers in boxes.items()}
    found = cropped(inputs, **each)
    for image, out, *box in zip(inputs, found, *boxes.values(), strict=True):
        expected = transforms.resized_crop(image, *box, size=[12, 9], antialias=True)
        torch.testing.assert_close(out, expected, atol=1e-5, rtol=0)


def test_random_sides_are_spread_as_in_torchvision() -> None:
    height, width, count = 40, 60, 4000
    wide, tall, fits = random_sides(
        count,
        area=(0.08 * height * width, height * width),
        ratio=(3 / 4, 4 / 3),
        limits=(width, height),
        generator=Generator().manual_seed(0),
    )
    assert fits.all()
    torch.manual_seed(0)
    crop = v2.RandomResizedCrop(32)
    drawn = [crop.make_params([torch.zeros(3, height, width)]) for _ in range(count)]
    for found, name in ((wide, "width"), (tall, "height")):
        expected = torch.tensor([float(params[name]) for params in drawn])
        # five standard errors of a mean; deviations vary less
        error = 5 * (2 / count) ** 0.5 * expected.std()
        torch.testing.assert_close(found.mean(), expected.mean(), atol=float(error), rtol=0)
        torch.testing.assert_close(found.std(), expected.std(), atol=float(error), rtol=0)


def test_a_crop_lies_at_every_place_where_it_fits() -> None:
    inputs = torch.arange(36.0).view(1, 1, 6, 6).repeat(2000, 3, 1, 1)
    # a quarter of the area is a box of 3x3, whose first pixel shows at the top left
    out = augment({"random_resized_crop": {"scale": [0.25, 0.25], "ratio": [1, 1]}}, inputs)
    seen = set(out[:, 0, 0, 0].mul(1000).round().div(1000).tolist())
    assert seen == {6.0 * y + x for y in range(4) for x in range(4)}


@pytest.mark.parametrize(
    ("height", "width", "ratio", "box"),
    [
        (20, 30, (1.0, 1.0), (0, 5, 20, 20)),
        (30, 20, (1.0, 1.0), (5, 0, 20, 20)),
        (30, 20, (2.0, 2.0), (10, 0, 10, 20)),
    ],
    ids=str,
)
def test_where_no_crop_fits_the_largest_in_the_middle_is_taken(
    height: int, width: int, ratio: tuple[float, float], box: tuple[int, ...]
) -> None:
    inputs = images(3, height, width)
    out = augment({"random_resized_crop": {"scale": [1, 1], "ratio": list(ratio)}}, inputs)
    torch.manual_seed(0)
    crop = v2.RandomResizedCrop((height, width), scale=(1, 1), ratio=ratio)
    assert tuple(crop.make_params([inputs]).values()) == box
    torch.testing.assert_close(out, crop(inputs), atol=1e-5, rtol=0)


def test_a_crop_of_all_changes_nothing() -> None:
    square = images(5, 9, 9)
    out = augment({"random_resized_crop": {"scale": [1, 1], "ratio": [1, 1]}}, square)
    torch.testing.assert_close(out, square, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "written",
    [
        {"rotation": 181},
        {"rotation": -1},
        {"affine": {"degrees": 0, "scale": [1.2, 0.8]}},
        {"affine": {"degrees": 0, "scale": [0, 1]}},
        {"affine": {"degrees": 0, "translate": [0.5, 1.5]}},
        {"affine": {"degrees": 0, "shear": 90}},
        {"perspective": 1.1},
        {"random_resized_crop": [0.0, 1.0]},
        {"random_resized_crop": [0.5, 1.5]},
        {"random_resized_crop": [0.9, 0.5]},
        {"random_resized_crop": {"ratio": [2, 1]}},
    ],
    ids=str,
)
def test_nonsense_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Augmentation.read(written)
