from pathlib import Path

import pytest
import torch

from cnnctl.data import sources
from cnnctl.data.dataset import DataSet, StoredSplit
from cnnctl.data.samples import Samples
from cnnctl.data.sources.planar import Blobs, Circles, Moons, Spirals, Xor
from tests.data.conftest import inputs_of

assert sources

NO_DATA = Path("there-is-no-such-folder")
KINDS = ["moons", "circles", "spirals", "xor", "blobs"]


def load(data: DataSet, split: StoredSplit = "train") -> Samples:
    return data.load(split, root=NO_DATA)


@pytest.mark.parametrize("kind", KINDS)
def test_the_points_depend_on_their_own_seed_alone(kind: str) -> None:
    first, again, other = (
        inputs_of(load(DataSet.read({"name": kind, "data_seed": seed}))) for seed in (5, 5, 6)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kind", KINDS)
def test_training_and_test_points_are_drawn_apart(kind: str) -> None:
    data = DataSet.read({"name": kind, "samples": 50, "test_samples": 70})
    train, test = load(data), load(data, "test")
    assert (len(train), len(test)) == (50, 70)
    assert not set(map(tuple, inputs_of(train).tolist())) & set(
        map(tuple, inputs_of(test).tolist())
    )


@pytest.mark.parametrize("kind", KINDS)
def test_points_are_float32_and_every_class_is_there(kind: str) -> None:
    samples = load(DataSet.read(kind))
    assert (samples.inputs.dtype, samples.inputs.shape[1]) == (torch.float32, 2)
    classes = len(DataSet.read(kind).describe().class_names)
    assert torch.bincount(samples.targets, minlength=classes).min() > 0.8 * 1000 / classes


def test_without_noise_circles_have_their_radii() -> None:
    samples = load(Circles(noise=0, factor=0.25))
    radii = inputs_of(samples).norm(dim=1)
    torch.testing.assert_close(radii, torch.tensor([1, 0.25])[samples.targets])


def test_without_noise_moons_are_half_circles() -> None:
    samples = load(Moons(noise=0))
    middles = torch.tensor([[0, 0], [1, 0.5]])[samples.targets]
    torch.testing.assert_close((inputs_of(samples) - middles).norm(dim=1), torch.ones(1000))


def test_without_noise_the_sign_of_the_product_is_the_class() -> None:
    samples = load(Xor(noise=0))
    assert torch.equal(samples.targets, (inputs_of(samples).prod(dim=1) < 0).long())


@pytest.mark.parametrize(("arms", "turns"), [(2, 1.5), (3, 0.5), (5, 2.0)])
def test_without_noise_a_point_of_a_spiral_tells_its_arm(arms: int, turns: float) -> None:
    samples = load(Spirals(noise=0, arms=arms, turns=turns, samples=600))
    radius = inputs_of(samples).double().norm(dim=1)
    angle = torch.atan2(inputs_of(samples)[:, 1], inputs_of(samples)[:, 0]).double() / (
        2 * torch.pi
    )
    arm = ((angle - turns * radius) * arms).round() % arms
    assert torch.equal(arm.long(), samples.targets)
    assert torch.bincount(samples.targets).tolist() == [600 // arms] * arms


def test_noise_is_added_with_its_deviation() -> None:
    clean, noisy = load(Xor(noise=0, samples=5000)), load(Xor(noise=0.5, samples=5000))
    assert torch.equal(clean.targets, noisy.targets)
    assert (inputs_of(noisy) - inputs_of(clean)).std().item() == pytest.approx(0.5, rel=0.05)


def test_blobs_lie_around_a_circle() -> None:
    samples = load(Blobs(samples=4000, centers=4, noise=0.1))
    middles = torch.stack([inputs_of(samples)[samples.targets == k].mean(0) for k in range(4)])
    around = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    assert torch.allclose(middles, around, atol=0.02)
    spread = (inputs_of(samples) - middles[samples.targets]).std(0)
    assert torch.allclose(spread, torch.tensor(0.1), atol=0.01)
