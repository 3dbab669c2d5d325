from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torchvision.transforms import v2

from cnnctl.data.augmentations import Augmentation, Context, InputAugmentation
from cnnctl.data.augmentations.boxes import boxes
from cnnctl.data.normalization import Levels
from cnnctl.errors import FaultError
from tests.data.augmentations.conftest import augment


def covered(size: int, *, count: int = 2000, side: int = 8, p: float = 1.0) -> Tensor:
    cutout = Augmentation.read({"cutout": {"size": size, "p": p}})
    assert isinstance(cutout, InputAugmentation)
    images = torch.ones(count, 2, side, side)
    levels = Levels(black=torch.zeros(2, 1, 1), white=torch.ones(2, 1, 1))
    out = cutout.augment(
        images, Context(levels, Generator().manual_seed(0), torch.arange(len(images)))
    )
    return out == 0


def test_a_box_is_what_slicing_covers() -> None:
    edges = dict(top=[0, -2, 3], bottom=[2, 1, 9], left=[1, 0, 4], right=[3, 5, 4])
    found = boxes(5, 5, **{name: torch.tensor(edge) for name, edge in edges.items()})
    expected = torch.zeros(3, 1, 5, 5, dtype=torch.bool)
    expected[0, 0, 0:2, 1:3] = True
    expected[1, 0, 0:1, 0:5] = True
    assert torch.equal(found, expected)


def test_a_square_is_covered_with_the_mean_in_every_channel() -> None:
    found = covered(3)
    assert torch.equal(found[:, 0], found[:, 1])
    areas = found[:, 0].sum(dim=(1, 2))
    assert areas.max() == 9
    # at a border part of the square lies outside: sides of 2 or 3
    assert set(areas.tolist()) == {4, 6, 9}


def test_every_pixel_is_covered_at_times() -> None:
    assert covered(1)[:, 0].any(dim=0).all()


def test_a_square_as_large_as_the_image_is_cut_off_where_it_lies_outside() -> None:
    assert covered(8)[:, 0].flatten(1).any(dim=1).all()


def test_as_many_are_covered_as_the_chance_says() -> None:
    touched = covered(3, p=0.25)[:, 0].flatten(1).any(dim=1).sum()
    assert abs(int(touched) - 500) < 100  # five standard deviations
    assert not covered(3, p=0.0).any()


def test_a_square_larger_than_the_image_is_a_fault() -> None:
    cutout = Augmentation.read({"cutout": 9})
    cutout.check((1, 9, 12))
    with pytest.raises(FaultError, match="9 pixels does not fit images of 8x12") as error:
        cutout.check((1, 8, 12))
    assert error.value.faults[0].path == ("size",)
    assert error.value.faults[0].hint == "use size <= 8"


def erased(count: int = 3000, **options: Any) -> Tensor:
    return augment({"random_erasing": options}, torch.ones(count, 3, 20, 16)) == 0


def test_a_box_is_erased_in_every_channel() -> None:
    found = erased(p=1.0)
    assert torch.equal(found[:, 0], found[:, 1])
    assert torch.equal(found[:, 0], found[:, 2])
    rows, columns = found[:, 0].any(dim=2), found[:, 0].any(dim=1)
    assert torch.equal(found[:, 0], rows[:, :, None] & columns[:, None, :])
    assert found[:, 0].any(dim=0).all()


def test_erased_boxes_are_spread_as_in_torchvision() -> None:
    found = erased(p=1.0)[:, 0]
    torch.manual_seed(0)
    erasing = v2.RandomErasing(p=1.0)
    drawn = [erasing.make_params([torch.ones(3, 20, 16)]) for _ in range(3000)]
    for side, name in ((found.any(dim=2).sum(dim=1), "h"), (found.any(dim=1).sum(dim=1), "w")):
        expected = torch.tensor([float(params[name]) for params in drawn])
        error = 5 * (2 / 3000) ** 0.5 * float(expected.std())  # five standard errors of the mean
        assert side.float().mean().item() == pytest.approx(expected.mean().item(), abs=error)
        assert side.float().std().item() == pytest.approx(expected.std().item(), abs=error)
        # of 0.02 to 0.33 of 320 pixels, with ratios up to 3.3
        assert 1 <= side.min() < side.max() <= 19


def test_as_many_boxes_are_erased_as_the_chance_says() -> None:
    touched = erased(2000, p=0.25)[:, 0].flatten(1).any(dim=1).sum()
    assert abs(int(touched) - 500) < 100  # five standard deviations
    assert not erased(p=0.0).any()


def test_boxes_are_filled_with_a_value_or_with_noise() -> None:
    inputs = torch.full((2000, 1, 9, 9), 5.0)
    filled = augment({"random_erasing": {"p": 1.0, "value": -7.5}}, inputs)
    assert set(filled.flatten().tolist()) == {-7.5, 5.0}
    noise = augment({"random_erasing": {"p": 1.0, "value": "random"}}, inputs)
    assert torch.equal(noise == 5, filled == 5)
    assert noise[noise != 5].mean().item() == pytest.approx(0, abs=0.05)
    assert noise[noise != 5].std().item() == pytest.approx(1, abs=0.05)


def test_nothing_is_erased_where_no_box_fits() -> None:
    inputs = torch.ones(50, 1, 1, 9)
    assert torch.equal(augment({"random_erasing": 1.0}, inputs), inputs)
