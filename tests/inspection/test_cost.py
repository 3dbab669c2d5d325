"""Costs worked out from shapes, held against torch's own flop counter and real runs."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn

from cnnctl.errors import FaultError
from cnnctl.inspection import gather
from cnnctl.inspection.cost import defined_cost, kernel_of
from cnnctl.inspection.unknown_modules import measure_module
from cnnctl.model.layer import Layer, Shape
from cnnctl.model.network import NetworkPlan, build
from tests.examples import BLOCKS, INPUTS, LEAVES, example

Architecture = Callable[..., NetworkPlan]


def agrees(item: Any, input: Shape) -> bool:
    """A layer's cost as it tells it is the one that is found by running it; False if unfit."""
    layer = Layer.read(item)
    with suppress(FaultError), torch.device("meta"):
        module = layer.build(input)
        output = tuple(module(torch.empty(2, *input)).shape[1:])
        measured = measure_module(module, input, needs_gradient=True)
        assert defined_cost(layer, input, output) == measured.cost
        return True
    return False


@pytest.mark.parametrize("kind", LEAVES)
def test_every_kind_costs_what_torchs_counter_finds(kind: str) -> None:
    agreed = [agrees(example(kind), shape) for shape in INPUTS]
    assert any(agreed), f"give {kind} an example in tests/examples.py"


@pytest.mark.parametrize("kind", BLOCKS)
def test_every_block_costs_what_torchs_counter_finds(kind: str, architecture: Architecture) -> None:
    plan = architecture(example(kind), "flatten", {"linear": 3}, input=INPUTS[0])
    network = build(plan, seed=0).to("meta")
    measured = measure_module(network, plan.input, needs_gradient=True)
    assert gather(plan, batch_size=1).multiply_adds == measured.cost.multiply_adds


def test_a_norm_over_channels_costs_what_torchs_counter_finds() -> None:
    assert agrees({"layer_norm": {"over": "channels"}}, (4, 9, 8))


few = st.integers(1, 3)
pair = few | st.tuples(few, few)


@given(
    kernel=pair,
    stride=pair,
    padding=st.integers(0, 2) | st.sampled_from(["same", "valid"]),
    dilation=pair,
    groups=st.sampled_from([1, 2, 4]),
    mode=st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
    input=st.sampled_from([(4, 9, 8), (4, 11)]),
)
@settings(max_examples=60, deadline=None)
def test_convolutions_cost_what_torchs_counter_finds(input: Shape, **options: Any) -> None:
    fields = ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
    spec = {"out_channels": 8, **dict(zip(fields, options_in_order(options), strict=True))}
    with suppress(ValidationError):
        agrees({"conv": spec}, input)


def options_in_order(options: dict[str, Any]) -> list[Any]:
    return [options[name] for name in ("kernel", "stride", "padding", "dilation", "groups", "mode")]


class Spectral(nn.Module):
    """Has an operation that torch's counter has no formula for."""

    def forward(self, input: Tensor) -> Tensor:
        spectrum: Tensor = torch.fft.rfft(input)
        return spectrum.abs()


class Elementwise(nn.Module):
    """Has nothing to be counted."""

    def forward(self, input: Tensor) -> Tensor:
        return torch.cat([input * 2, input.clamp(0).mean(1, keepdim=True)], dim=1)


@pytest.mark.parametrize(("module", "is_counted"), [(Spectral(), False), (Elementwise(), True)])
def test_what_torch_cannot_count_is_reported(module: nn.Module, is_counted: bool) -> None:
    cost = measure_module(module, (4, 6, 6), needs_gradient=True).cost
    assert (cost.multiply_adds, cost.is_counted) == (0, is_counted)


def test_kernels_are_those_of_windows() -> None:
    assert kernel_of(nn.Conv2d(1, 1, (3, 5)), (1, 9, 9)) == (3, 5)
    assert kernel_of(nn.MaxPool2d(2), (1, 9, 9)) == (2, 2)
    assert kernel_of(nn.AvgPool1d(3), (1, 9)) == (3,)
    assert kernel_of(nn.ReLU(), (1, 9)) is None
