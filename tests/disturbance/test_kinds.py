"""What each disturbance makes of inputs."""

from __future__ import annotations

import pytest
import torch
from scipy import ndimage
from torch import Tensor

from cnnctl.data.normalization import Levels
from cnnctl.disturbance.chance import Chance
from cnnctl.disturbance.disturbance import Sampled
from cnnctl.disturbance.kinds import DISTURBANCES
from cnnctl.disturbance.units import Units

PIXELS = Units(Levels(torch.tensor(-1.0), torch.tensor(3.0)), is_bounded=True)
OTHERS = Units(Levels(torch.tensor(0.0), torch.tensor(1.0)), is_bounded=False)
COUNT = 12
IMAGES = torch.rand(COUNT, 2, 9, 9, generator=torch.Generator().manual_seed(1))


def disturbed(
    kind: str, strength: float, values: Tensor = IMAGES, *, units: Units = PIXELS
) -> Tensor:
    chance = Chance(0, kind, range(len(values)), torch.device("cpu"))
    batch = Sampled(values, units, chance, gradient=lambda values: values - 0.5)
    changed = DISTURBANCES[kind].apply(batch, strength)
    assert changed.shape == values.shape
    return changed


def moved(image: Tensor, right: int, down: int) -> Tensor:
    return torch.from_numpy(ndimage.shift(image.numpy(), (0, down, right), order=0))


def test_each_image_is_shifted_in_one_of_four_directions_by_the_same_distance() -> None:
    found = disturbed("shift", 2)
    directions = [(2, 0), (-2, 0), (0, 2), (0, -2)]
    drawn = []
    for image, changed in zip(IMAGES, found, strict=True):
        fits = [way for way in directions if torch.allclose(changed, moved(image, *way), atol=1e-5)]
        assert len(fits) == 1
        drawn += fits
    assert set(drawn) == set(directions)


def test_signals_are_shifted_in_time() -> None:
    signals = torch.rand(COUNT, 2, 7)
    found = disturbed("shift", 3, signals, units=OTHERS)
    later, sooner = torch.zeros_like(signals), torch.zeros_like(signals)
    later[..., 3:], sooner[..., :-3] = signals[..., :-3], signals[..., 3:]
    is_later = [torch.allclose(*pair, atol=1e-5) for pair in zip(found, later, strict=True)]
    is_sooner = [torch.allclose(*pair, atol=1e-5) for pair in zip(found, sooner, strict=True)]
    assert any(is_later)
    assert is_later == [not each for each in is_sooner]


def test_rotation_by_a_right_angle_turns_either_way() -> None:
    found = disturbed("rotate", 90)
    for image, changed in zip(IMAGES, found, strict=True):
        ways = [torch.rot90(image, turns, dims=(1, 2)) for turns in (1, -1)]
        assert sum(torch.allclose(changed, way, atol=1e-4) for way in ways) == 1


def test_scaling_enlarges_or_shrinks_about_the_centre() -> None:
    square = torch.zeros(COUNT, 1, 9, 9)
    square[:, :, 3:6, 3:6] = 1  # an area of 9
    areas = disturbed("scale", 1, square).sum(dim=(1, 2, 3))
    # shrunk, every second pixel is left; enlarged, a side is five pixels and two halves
    assert {round(area) for area in areas.tolist()} == {1, 36}


def test_noise_has_the_deviation_that_is_asked_for_and_stays_within_black_and_white() -> None:
    grey = torch.full((50, 1, 20, 20), 0.5)
    noise = disturbed("noise", 0.1, grey) - grey
    assert float(noise.std()) == pytest.approx(0.1, rel=0.02)
    assert abs(float(noise.mean())) < 0.002
    strong = disturbed("noise", 2, grey)
    assert (float(strong.min()), float(strong.max())) == (0, 1)
    assert float(disturbed("noise", 2, grey, units=OTHERS).std()) == pytest.approx(2, rel=0.02)


def test_blur_is_that_of_scipy() -> None:
    expected = ndimage.gaussian_filter(
        IMAGES.numpy(), sigma=1.5, mode="mirror", axes=(2, 3), radius=5
    )
    assert torch.allclose(disturbed("blur", 1.5), torch.from_numpy(expected), atol=1e-5)


def test_brightness_and_contrast_go_either_way() -> None:
    mean = IMAGES.mean(dim=(2, 3), keepdim=True)
    for kind, ways in (
        ("brightness", (IMAGES * 1.4, IMAGES * 0.6)),
        ("contrast", (mean + 1.4 * (IMAGES - mean), mean + 0.6 * (IMAGES - mean))),
    ):
        found = disturbed(kind, 0.4)
        close = [(found - way.clamp(0, 1)).abs().amax(dim=(1, 2, 3)) < 1e-5 for way in ways]
        assert bool((close[0] ^ close[1]).all())
        assert 0 < int(close[0].sum()) < COUNT


def test_occlusion_covers_a_square_with_the_mean_colour() -> None:
    found = disturbed("occlude", 4)
    is_covered = (found != IMAGES).all(dim=1)
    assert is_covered.sum(dim=(1, 2)).tolist() == [16] * COUNT
    assert is_covered.any(dim=1).sum(dim=1).tolist() == [4] * COUNT  # columns
    for image, changed, where in zip(IMAGES, found, is_covered, strict=True):
        means = image.mean(dim=(1, 2))
        assert torch.allclose(changed[:, where], means[:, None].expand(-1, 16))
    assert len({tuple(where.nonzero()[0].tolist()) for where in is_covered}) > 1
    everything = disturbed("occlude", 9)
    assert torch.allclose(everything, IMAGES.mean(dim=(2, 3), keepdim=True).expand_as(IMAGES))


@pytest.mark.parametrize("kind", sorted(set(DISTURBANCES) - {"fgsm"}))
def test_a_sample_is_disturbed_alike_alone_and_in_a_batch(kind: str) -> None:
    alone = Chance(0, kind, [5], torch.device("cpu"))
    batch = Sampled(IMAGES[5:6], PIXELS, alone, gradient=lambda values: values - 0.5)
    assert torch.allclose(DISTURBANCES[kind].apply(batch, 1), disturbed(kind, 1)[5:6], atol=1e-6)


def test_the_same_is_drawn_for_every_strength_and_another_for_another_seed() -> None:
    weak, strong = (disturbed("noise", each, units=OTHERS) for each in (0.1, 0.2))
    assert torch.allclose(2 * (weak - IMAGES), strong - IMAGES, atol=1e-6)
    assert torch.equal(weak, disturbed("noise", 0.1, units=OTHERS))
    drawn = [Chance(seed, "noise", [0], torch.device("cpu")).normal(3) for seed in (0, 1)]
    assert not torch.allclose(drawn[0], drawn[1])
