"""Weights that are measured on the data: whitening, from the inputs of a layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from cnnctl.errors import FaultError
from cnnctl.model.initializers import Initializer
from cnnctl.model.network import Model, build, plan

GREY = (1, 8, 8)


def pictures(count: int = 60, *, shape: tuple[int, ...] = GREY) -> Tensor:
    """Smooth noise, so that neighbouring pixels are correlated."""
    noise = torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))
    return functional.avg_pool2d(noise, 3, stride=1, padding=1) * 3


def samples(count: int) -> Iterator[Tensor]:
    yield from torch.split(pictures()[:count], 25)


def network(layers: list[Any], *, shape: tuple[int, ...] = GREY, measured: bool = True) -> Any:
    model = Model.model_validate({"layers": [*layers, "flatten", {"linear": "classes"}]})
    made = plan(model, input=shape, classes=3)
    return build(made, seed=1, samples=samples if measured else None)


def whitening(**options: Any) -> dict[str, Any]:
    return {"name": "whitening", "eps": 1e-6, **options}


def outputs(layer: nn.Module, inputs: Tensor) -> Tensor:
    """(places, channels) of what a layer gives."""
    found: Tensor = layer(inputs)
    return found.movedim(1, -1).flatten(0, -2).detach()


def test_outputs_are_uncorrelated_with_variance_1() -> None:
    made = network([{"conv": {"out_channels": 8, "kernel_size": 2, "init": whitening()}}])
    found = outputs(made[0], pictures())[:, :4].double()
    moments = found.T @ found / len(found)
    torch.testing.assert_close(moments, torch.eye(4).double(), rtol=0, atol=1e-3)
    assert torch.equal(made[0].weight[4:], -made[0].weight[:4])


def test_it_is_airbenchs_up_to_order_and_sign() -> None:
    """https://github.com/KellerJordan/cifar10-airbench: eigenvectors of the covariance of patches,
    divided by the root of eigenvalue + eps."""
    made = network([{"conv": {"out_channels": 18, "kernel_size": 3, "init": whitening(eps=5e-4)}}])
    given = pictures()
    patches = given.unfold(2, 3, 1).unfold(3, 3, 1).reshape(-1, 9)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    expected = (vectors / (values + 5e-4).sqrt()).T.flip(0)
    found = made[0].weight[:9].detach().reshape(9, 9)
    signs = (found * expected).sum(dim=1, keepdim=True).sign()
    torch.testing.assert_close(found, signs * expected, rtol=1e-3, atol=1e-4)


def test_few_filters_are_the_strongest_components() -> None:
    few = network([{"conv": {"out_channels": 4, "kernel_size": 2, "init": whitening()}}])
    all_of_them = network([{"conv": {"out_channels": 8, "kernel_size": 2, "init": whitening()}}])
    assert torch.equal(few[0].weight[:2], all_of_them[0].weight[:2])


def test_a_later_layer_is_measured_on_what_it_gets() -> None:
    conv = {"out_channels": 8, "kernel_size": 2, "init": whitening(samples=40)}
    made = network([{"conv": 2}, "batch_norm", "relu", {"dropout": 0.5}, {"conv": conv}])
    with torch.no_grad():
        before = made[:4].eval()(pictures()[:40])
        found = outputs(made[4], before)[:, :4].double()
    assert (found**2).mean(dim=0).tolist() == pytest.approx([1.0] * 4, rel=1e-2)
    assert made[4].training


@pytest.mark.parametrize(
    ("shape", "layer"),
    [
        ((2, 30), {"conv": {"out_channels": 12, "kernel_size": 3, "init": whitening()}}),
        (
            (4, 30),
            {"conv": {"out_channels": 4, "kernel_size": 2, "groups": 2, "init": whitening()}},
        ),
        (
            (2, 30),
            {"conv": {"out_channels": 8, "kernel_size": 2, "dilation": 4, "init": whitening()}},
        ),
        ((6,), {"linear": {"out_features": 12, "init": whitening()}}),
    ],
    ids=["signal", "groups", "dilation", "vector"],
)
def test_whatever_multiplies_patches_can_be_measured(shape: tuple[int, ...], layer: Any) -> None:
    draw = torch.Generator().manual_seed(4)
    given = torch.randn(200, *shape, generator=draw).cumsum(dim=-1)
    model = Model.model_validate({"layers": [layer, "flatten", {"linear": "classes"}]})
    made = build(plan(model, input=shape, classes=3), seed=1, samples=lambda count: [given[:count]])
    found = outputs(made[0], given)
    assert (found**2).mean().item() == pytest.approx(1, rel=1e-2)


def test_a_build_without_data_takes_pixels_as_uncorrelated() -> None:
    made = network(
        [{"conv": {"out_channels": 8, "kernel_size": 2, "init": whitening()}}], measured=False
    )
    rows = made[0].weight[:4].detach().reshape(4, 4)
    torch.testing.assert_close(rows @ rows.T, torch.eye(4))


def test_nothing_else_is_drawn_differently() -> None:
    layers = [{"conv": {"out_channels": 8, "kernel_size": 2, "init": whitening()}}, {"conv": 4}]
    with_data, without = network(layers), network(layers, measured=False)
    assert torch.equal(with_data[1].weight, without[1].weight)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            {"conv": {"out_channels": 7, "init": "whitening"}},
            "cannot initialise 7 filters of 1x3x3",
        ),
        ({"conv": {"out_channels": 20, "init": "whitening"}}, "cannot initialise 20 filters"),
        ({"conv_transpose": {"out_channels": 2, "init": "whitening"}}, "initialise conv_transpose"),
        ({"conv": {"out_channels": 2, "bias_init": "whitening"}}, "cannot initialise a bias"),
    ],
)
def test_what_cannot_be_whitened_is_a_fault(layer: Any, message: str) -> None:
    with pytest.raises(FaultError, match=message):
        network([layer])


def test_dirac_passes_the_input_through_and_draws_the_rest() -> None:
    """As https://github.com/KellerJordan/cifar10-airbench: w[:w.size(1)]."""
    rest = {"name": "kaiming_uniform", "a": 5**0.5}
    found, drawn = torch.empty(7, 3, 3, 3), torch.empty(7, 3, 3, 3)
    generator = [Generator().manual_seed(2) for _ in range(2)]
    read = Initializer.read({"name": "dirac", "rest": rest})
    read.check((7, 3, 3, 3))
    read.fill(found, activation="relu", generator=generator[0])
    Initializer.read(rest).fill(drawn, activation="relu", generator=generator[1])
    assert torch.equal(found[:3], nn.init.dirac_(torch.empty(3, 3, 3, 3)))
    assert torch.equal(found[3:], drawn[3:])
    expected = read.rms((7, 3, 3, 3), activation="relu")
    assert expected == pytest.approx(found.square().mean().sqrt().item(), rel=0.05)


def test_dirac_draws_the_rest_of_each_group() -> None:
    found = torch.empty(6, 2, 3, 3)
    read = Initializer.read({"name": "dirac", "groups": 2, "rest": {"name": "constant", "val": 5}})
    read.fill(found, activation="linear", generator=Generator())
    alone = nn.init.dirac_(torch.empty(2, 2, 3, 3))
    assert torch.equal(found[[0, 1]], alone)
    assert torch.equal(found[[3, 4]], alone)
    assert (found[[2, 5]] == 5).all()
