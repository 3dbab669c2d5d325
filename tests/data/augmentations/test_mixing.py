from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Generator, Tensor

from cnnctl.data.augmentations import Augmentation, Mixing
from cnnctl.data.augmentations.mixing import blended, random_boxes, shares

CLASSES = 5


def seeded() -> Generator:
    return Generator().manual_seed(0)


def mix(
    written: str | dict[str, Any], count: int = 200, shape: tuple[int, ...] = (3, 8, 6)
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    inputs = torch.randn(count, *shape)
    targets = torch.eye(CLASSES)[torch.arange(count) % CLASSES]
    mixing = Augmentation.read(written)
    assert isinstance(mixing, Mixing)
    return inputs, targets, *mixing.mix(inputs, targets, generator=seeded())


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_mixed_targets_sum_to_one(kind: str, p: float) -> None:
    *_, targets = mix({kind: {"alpha": 0.3, "p": p}})
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(200))
    assert (targets >= 0).all()


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_as_many_are_mixed_as_the_chance_says(kind: str) -> None:
    inputs, targets, mixed, mixed_targets = mix({kind: {"alpha": 100.0, "p": 0.25}}, count=2000)
    touched = (mixed != inputs).flatten(1).any(dim=1)
    assert abs(int(touched.sum()) - 500) < 100  # five standard deviations
    assert torch.equal(mixed_targets[~touched], targets[~touched])


def test_inputs_and_targets_are_mixed_in_the_same_shares() -> None:
    inputs, _, mixed, targets = mix("mixup")
    own = targets.gather(1, (torch.arange(200) % CLASSES)[:, None])[:, :, None, None]
    torch.testing.assert_close(mixed, own * inputs + (1 - own) * inputs.roll(1, dims=0))


def test_vectors_are_mixed_as_well() -> None:
    inputs, _, mixed, targets = mix("mixup", shape=(7,))
    own = targets.gather(1, (torch.arange(200) % CLASSES)[:, None])
    torch.testing.assert_close(mixed, own * inputs + (1 - own) * inputs.roll(1, dims=0))


def test_the_pixels_of_cutmix_are_of_the_two_images_in_the_targets_shares() -> None:
    inputs, _, mixed, targets = mix("cutmix")
    own = (mixed == inputs).all(dim=1)
    other = (mixed == inputs.roll(1, dims=0)).all(dim=1)
    assert (own ^ other).all()
    share = targets.gather(1, (torch.arange(200) % CLASSES)[:, None])[:, 0]
    torch.testing.assert_close(own.float().mean(dim=(1, 2)), share)


def test_what_is_pasted_is_one_box() -> None:
    inputs, _, mixed, _ = mix("cutmix")
    pasted = (mixed != inputs).all(dim=1)
    rows, columns = pasted.any(dim=2), pasted.any(dim=1)
    assert torch.equal(pasted, rows[:, :, None] & columns[:, None, :])
    for sides in (rows, columns):
        # along a side a box begins once at most
        assert (sides.int().diff(dim=1) == 1).sum(dim=1).max() <= 1


def test_a_box_inside_the_image_has_its_area() -> None:
    images = torch.zeros(4000, 1, 40, 40)
    found = random_boxes(images, area=torch.full((4000,), 0.04), generator=seeded())
    # 0.04 of 40x40 pixels is a square of 8, unless a border cuts it
    areas = found.sum(dim=(1, 2, 3))
    assert areas.max() == 64
    assert (areas == 64).float().mean().item() == pytest.approx((33 / 40) ** 2, abs=0.05)


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.2, 1.0, 5.0])
def test_shares_are_of_the_beta_distribution(alpha: float) -> None:
    drawn = shares(40_000, alpha=alpha, p=1.0, generator=seeded()).double()
    # Beta(a, a) has a mean of 1/2 and a variance of 1 / (4 (2 a + 1))
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.015)
    assert drawn.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)
    assert drawn.isfinite().all()


def test_a_share_of_one_keeps_the_sample_to_the_bit() -> None:
    values = torch.randn(10, 3, 4, 4)
    assert torch.equal(blended(values, share=torch.ones(10)), values)
    assert torch.equal(blended(values, share=torch.zeros(10)), values.roll(1, dims=0))


@pytest.mark.parametrize("alpha", [0, -1.0, 1e9])
def test_nonsense_is_refused(alpha: float) -> None:
    with pytest.raises(ValidationError):
        Augmentation.read({"mixup": alpha})
