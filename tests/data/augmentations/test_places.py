from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Generator, Tensor
from torchvision.transforms.v2 import functional as transforms

from cnnctl.data.augmentations import Augmentation, Context, InputAugmentation
from cnnctl.data.augmentations.places import flipped, padded, windows
from cnnctl.data.normalization import Levels
from cnnctl.errors import FaultError

BLACK = torch.tensor([-1.0, 0.5, -2.0]).view(3, 1, 1)
LEVELS = Levels(black=BLACK, white=BLACK + 4)


def images(count: int = 5, height: int = 8, width: int = 6) -> Tensor:
    return torch.randn(count, 3, height, width, generator=Generator().manual_seed(0))


def augment(written: str | dict[str, Any], inputs: Tensor, seed: int = 0) -> Tensor:
    generator = Generator().manual_seed(seed)
    augmentation = Augmentation.read(written)
    assert isinstance(augmentation, InputAugmentation)
    return augmentation.augment(inputs, Context(LEVELS, generator, torch.arange(len(inputs))))


@pytest.mark.parametrize("dim", [2, 3])
def test_a_flip_undoes_itself(dim: int) -> None:
    where = torch.tensor([True, False, True, True, False])
    once = flipped(images(), where=where, dim=dim)
    assert torch.equal(flipped(once, where=where, dim=dim), images())
    assert torch.equal(once[1], images()[1])
    assert torch.equal(once[0], images()[0].flip(dim - 1))


@pytest.mark.parametrize(("kind", "dim"), [("horizontal_flip", 3), ("vertical_flip", 2)])
def test_a_chance_of_one_flips_all_and_of_none_flips_none(kind: str, dim: int) -> None:
    assert torch.equal(augment({kind: 1.0}, images()), images().flip(dim))
    assert torch.equal(augment({kind: 0.0}, images()), images())


@pytest.mark.parametrize("kind", ["horizontal_flip", "vertical_flip"])
def test_alternating_flips_show_an_image_both_ways_in_two_epochs(kind: str) -> None:
    flip, inputs = Augmentation.read({kind: {"alternating": True}}), images(4000, 2, 2)
    assert isinstance(flip, InputAugmentation)
    flips = list[Tensor]()
    for epoch in range(4):
        generator = Generator().manual_seed(epoch)  # other numbers in each epoch
        context = Context(LEVELS, generator, torch.arange(4000), epoch=epoch, seed=3)
        out = flip.augment(inputs, context)
        flips.append((out != inputs).flatten(1).any(dim=1))
    assert torch.equal(flips[1], ~flips[0])
    assert torch.equal(flips[2], flips[0])
    assert torch.equal(flips[3], flips[1])
    assert abs(int(flips[0].sum()) - 2000) < 150  # five standard deviations


def test_alternating_flips_are_drawn_by_position_and_seed() -> None:
    flip = Augmentation.read({"horizontal_flip": {"alternating": True, "p": 0.5}})
    assert isinstance(flip, InputAugmentation)
    inputs = torch.arange(2.0).expand(200, 1, 1, 2)

    def flips(rows: Tensor, *, seed: int = 0) -> Tensor:
        context = Context(LEVELS, Generator(), rows, seed=seed)
        return flip.augment(inputs[: len(rows)], context)[:, 0, 0, 0] == 1

    rows = torch.randperm(200, generator=Generator().manual_seed(0))
    assert torch.equal(flips(torch.arange(200))[rows], flips(rows))
    assert not torch.equal(flips(rows), flips(rows, seed=1))


def test_flips_along_two_dimensions_alternate_independently() -> None:
    context = Context(LEVELS, Generator(), torch.arange(4000), seed=5)
    first, second = (context.drawn_once(salt=salt) < 0.5 for salt in (2, 3))
    assert abs(int((first == second).sum()) - 2000) < 160


def test_about_half_are_flipped() -> None:
    inputs = images(4000, 2, 2)
    changed = (augment("horizontal_flip", inputs) != inputs).flatten(1).any(dim=1).sum()
    assert abs(int(changed) - 2000) < 150  # five standard deviations


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_a_window_is_what_slicing_gives(data: st.DataObject) -> None:
    corners = st.lists(st.integers(0, 3), min_size=5, max_size=5)
    top, left = data.draw(corners), data.draw(corners)
    cut = windows(images(), top=torch.tensor(top), left=torch.tensor(left), height=5, width=3)
    for image, whole, y, x in zip(cut, images(), top, left, strict=True):
        assert torch.equal(image, whole[:, y : y + 5, x : x + 3])


def test_a_crop_without_padding_changes_nothing() -> None:
    assert torch.equal(augment({"crop": 0}, images()), images())


def test_zero_padding_is_black_in_every_channel() -> None:
    wide = padded(images(), padding=2, mode="zeros", black=BLACK)
    assert torch.equal(wide[:, :, 2:-2, 2:-2], images())
    assert torch.equal(wide[:, :, :2], BLACK.expand(5, 3, 2, 10))
    assert torch.equal(wide[:, :, :, -2:], BLACK.expand(5, 3, 12, 2))


def test_reflected_padding_is_torchvisions() -> None:
    wide = padded(images(), padding=3, mode="reflect", black=BLACK)
    assert torch.equal(wide, transforms.pad(images(), [3] * 4, padding_mode="reflect"))


def test_a_crop_shifts_by_up_to_its_padding_each_way() -> None:
    inputs = torch.zeros(3000, 3, 9, 9)
    inputs[:, :, 4, 4] = 1
    out = augment({"crop": {"padding": 2}}, inputs)
    seen = {tuple(place) for place in (out[:, 0] == 1).nonzero()[:, 1:].tolist()}
    assert seen == {(y, x) for y in range(2, 7) for x in range(2, 7)}


def test_what_cannot_be_mirrored_that_far_is_a_fault() -> None:
    crop = Augmentation.read({"crop": {"padding": 8, "padding_mode": "reflect"}})
    crop.check((3, 9, 9))
    with pytest.raises(FaultError, match="cannot pad 8x12 images by 8 pixels") as error:
        crop.check((3, 8, 12))
    assert error.value.faults[0].path == ("padding",)
    assert error.value.faults[0].hint.startswith("use padding <= 7")


@pytest.mark.parametrize("written", [{"crop": -1}, {"horizontal_flip": 1.5}], ids=str)
def test_nonsense_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Augmentation.read(written)
