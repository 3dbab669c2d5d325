from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Generator, Tensor
from torchvision.transforms.v2 import functional as transforms

from cnnctl.data.augmentations import Augmentation
from cnnctl.data.augmentations.colors import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    grey,
    in_random_order,
)
from cnnctl.data.normalization import Levels
from cnnctl.errors import FaultError
from tests.data.augmentations.conftest import LEVELS, augment, levels_of, normalized, random_bytes

FACTORS = [0.0, 0.2, 0.7, 1.0, 1.4, 3.0]
SHIFTS = [-0.5, -0.31, -0.02, 0.0, 0.17, 0.5]


def corners_of_the_cube() -> Tensor:
    """Black, white, and the six purest colours, with greys between; (1, 3, 3, 4)."""
    sides = torch.tensor([0.0, 1.0])
    cube = torch.cartesian_prod(sides, sides, sides)
    greys = torch.tensor([0.25, 0.5, 0.75, 1.0])[:, None].expand(4, 3)
    return torch.cat([cube, greys]).T.reshape(1, 3, 3, 4)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("ours", "theirs", "amounts"),
    [
        (adjust_brightness, transforms.adjust_brightness, FACTORS),
        (adjust_contrast, transforms.adjust_contrast, FACTORS),
        (adjust_saturation, transforms.adjust_saturation, FACTORS),
        (adjust_hue, transforms.adjust_hue, SHIFTS),
    ],
    ids=["brightness", "contrast", "saturation", "hue"],
)
def test_adjusted_pixels_are_torchvisions(
    ours: Callable[[Tensor, Tensor], Tensor],
    theirs: Callable[[Tensor, float], Tensor],
    amounts: list[float],
    channels: int,
) -> None:
    if channels == 1 and ours is adjust_hue:
        return  # grey has no hue
    pixels = random_bytes(channels=channels) / 255
    if channels == 3:
        pixels[:, :, :3, :4] = corners_of_the_cube()
    found = ours(pixels, torch.tensor(amounts))
    for image, out, amount in zip(pixels, found, amounts, strict=True):
        torch.testing.assert_close(out, theirs(image, amount), atol=2e-6, rtol=0)


def test_grey_is_torchvisions() -> None:
    pixels = random_bytes() / 255
    torch.testing.assert_close(grey(pixels), transforms.rgb_to_grayscale(pixels))
    assert torch.equal(grey(pixels[:, :1]), pixels[:, :1])


@pytest.mark.parametrize(
    "written",
    [{"hue": 0}, {"saturation": 0}, "color_jitter", {"grayscale": 0}, {"color_jitter": {"hue": 0}}],
    ids=str,
)
def test_a_strength_of_zero_changes_nothing(written: str | dict[str, Any]) -> None:
    inputs = normalized(random_bytes())
    torch.testing.assert_close(augment(written, inputs), inputs, atol=1e-5, rtol=0)


def test_what_is_not_made_grey_stays_to_the_bit() -> None:
    inputs = normalized(random_bytes(2000, height=2, width=2))
    out = augment({"grayscale": 0.25}, inputs)
    changed = (out != inputs).flatten(1).any(dim=1)
    assert abs(int(changed.sum()) - 500) < 100  # five standard deviations
    expected = transforms.rgb_to_grayscale(LEVELS.pixels(inputs[changed]), num_output_channels=3)
    torch.testing.assert_close(LEVELS.pixels(out[changed]), expected, atol=1e-6, rtol=0)


def test_saturation_spreads_its_factor_over_the_range() -> None:
    # pure red, less saturated: green is (1 - factor) of its grey, 0.2989
    red = LEVELS.normalized(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(3000, 3, 1, 1))
    pixels = LEVELS.pixels(augment({"saturation": 0.5}, red))
    factors = 1 - pixels[:, 1, 0, 0] / 0.2989
    assert factors.min().item() == pytest.approx(0.5, abs=0.01)
    assert (pixels[:, 1] == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_hue_spreads_its_shift_over_the_range() -> None:
    # pure red, shifted by up to a sixth of the circle, towards yellow or towards magenta
    red = LEVELS.normalized(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(3000, 3, 1, 1))
    pixels = LEVELS.pixels(augment({"hue": 0.1}, red))[:, :, 0, 0]
    shift = (pixels[:, 1] - pixels[:, 2]) / 6
    assert shift.min().item() == pytest.approx(-0.1, abs=0.002)
    assert shift.max().item() == pytest.approx(0.1, abs=0.002)
    assert shift.mean().item() == pytest.approx(0, abs=0.006)  # five standard errors


PIXELS = Levels(black=torch.zeros(1, 1, 1), white=torch.ones(1, 1, 1))


def orders_of(count: int, *, steps: int, seed: int) -> list[str]:
    """The orders drawn for so many images: each step writes its number behind those before it."""

    def write_behind(pixels: Tensor, amount: Tensor) -> Tensor:
        return torch.cat([pixels[:, :, :, 1:], amount.view(-1, 1, 1, 1)], dim=3)

    adjustments = [(write_behind, torch.full((count,), number / 10)) for number in range(steps)]
    generator = Generator().manual_seed(seed)
    images = torch.ones(count, 1, 1, steps)
    drawn = in_random_order(images, adjustments, levels=PIXELS, generator=generator)
    return ["".join(f"{10 * x:.0f}" for x in image.flatten().tolist()) for image in drawn]


def test_every_order_of_adjustments_is_drawn_as_often_as_any_other() -> None:
    found = orders_of(4800, steps=4, seed=0)
    counts = {order: found.count(order) for order in set(found)}
    assert counts == {"".join(order): 200 for order in permutations("0123")}


def test_a_single_image_has_any_order() -> None:
    found = {order for seed in range(20) for order in orders_of(1, steps=2, seed=seed)}
    assert found == {"01", "10"}


def test_amounts_stay_with_their_images() -> None:
    factors = torch.linspace(0, 1, 50)
    adjustments = [(adjust_brightness, factors), (adjust_brightness, factors)]
    generator = Generator().manual_seed(0)
    out = in_random_order(torch.ones(50, 1, 1, 1), adjustments, levels=PIXELS, generator=generator)
    torch.testing.assert_close(out.flatten(), factors.square())


@pytest.mark.parametrize(
    ("option", "theirs", "low", "high"),
    [
        ("brightness", transforms.adjust_brightness, 0.6, 1.4),
        ("contrast", transforms.adjust_contrast, 0.6, 1.4),
        ("saturation", transforms.adjust_saturation, 0.6, 1.4),
        ("hue", transforms.adjust_hue, -0.4, 0.4),
    ],
)
def test_jitter_of_one_kind_is_an_adjustment_within_its_range(
    option: str, theirs: Callable[[Tensor, float], Tensor], low: float, high: float
) -> None:
    inputs = normalized(random_bytes(1, height=4, width=4)).expand(40, -1, -1, -1)
    pixels = LEVELS.pixels(augment({"color_jitter": {option: 0.4}}, inputs))
    amounts = torch.linspace(low, high, 401).tolist()
    image = random_bytes(1, height=4, width=4)[0] / 255
    possible = torch.stack([theirs(image, amount) for amount in amounts])
    distance = torch.cdist(pixels.flatten(1), possible.flatten(1), p=torch.inf)
    assert distance.amin(dim=1).max() < 0.01
    nearest = torch.tensor(amounts)[distance.argmin(dim=1)]
    assert nearest.max() - nearest.min() > 0.7 * (high - low)


def test_jitter_of_grey_images_changes_brightness_and_contrast() -> None:
    inputs = normalized(random_bytes(channels=1))
    out = augment({"color_jitter": {"brightness": 0.5, "contrast": 0.5}}, inputs)
    pixels = levels_of(out).pixels(out)
    assert not torch.allclose(pixels, random_bytes(channels=1) / 255, atol=0.01)


@pytest.mark.parametrize(
    ("written", "channels", "message", "path"),
    [
        ({"hue": 0.1}, 1, "hue needs colours, but images have 1 channel", ()),
        ({"saturation": 0.1}, 1, "saturation needs colours, but images have 1 channel", ()),
        ("grayscale", 4, "grayscale needs colours, but images have 4 channels", ()),
        (
            {"color_jitter": {"hue": 0.1}},
            1,
            "hue needs colours, but images have 1 channel",
            ("hue",),
        ),
        (
            {"color_jitter": {"brightness": 0.1}},
            2,
            "color_jitter needs grey images or colours, but images have 2 channels",
            (),
        ),
    ],
    ids=str,
)
def test_colours_that_are_not_there_are_a_fault(
    written: str | dict[str, Any], channels: int, message: str, path: tuple[str, ...]
) -> None:
    with pytest.raises(FaultError) as error:
        Augmentation.read(written).check((channels, 8, 8))
    (fault,) = error.value.faults
    assert (fault.message, fault.hint, fault.path) == (message, "leave it out", path)


@pytest.mark.parametrize(
    "written",
    [{"hue": 0.6}, {"saturation": -1}, {"color_jitter": {"hue": -0.1}}, {"grayscale": 2}],
    ids=str,
)
def test_nonsense_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Augmentation.read(written)
