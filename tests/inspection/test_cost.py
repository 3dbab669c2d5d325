"""Costs worked out from shapes, held against torch's own flop counter and real runs."""

from contextlib import suppress
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn

from cnnctl.errors import FaultError
from cnnctl.inspection.cost import kernel_of, known_cost
from cnnctl.inspection.unknown_modules import measure_module
from cnnctl.model.block import Block
from cnnctl.model.layer import Layer, Shape
from tests.inspection.conftest import NEEDED

INPUTS: list[Shape] = [(4, 9, 8), (4, 11), (12,)]
KINDS = sorted(
    kind
    for kind, member in Layer.kinds.items()
    if not issubclass(member, Block) and kind != "torchvision"
)


def agrees(module: nn.Module, input: Shape) -> None:
    """A module's known cost is the one that is found by running it."""
    measured = measure_module(module, input, needs_gradient=True)
    output = tuple(module(torch.empty(2, *input, device="meta")).shape[1:])
    assert known_cost(module, input, output) == measured.cost


@pytest.mark.parametrize("input", INPUTS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_costs_what_torchs_counter_finds(kind: str, input: Shape) -> None:
    layer = Layer.read({kind: NEEDED.get(kind, {})})
    with suppress(FaultError), torch.device("meta"):
        module = layer.build(input)
        agrees(module, input)


def test_a_norm_over_channels_costs_what_torchs_counter_finds() -> None:
    with torch.device("meta"):
        agrees(Layer.read({"layer_norm": {"over": "channels"}}).build((4, 9, 8)), (4, 9, 8))


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
    with suppress(FaultError, ValidationError), torch.device("meta"):
        module = Layer.read({"conv": spec}).build(input)
        agrees(module, input)


def options_in_order(options: dict[str, Any]) -> list[Any]:
    return [options[name] for name in ("kernel", "stride", "padding", "dilation", "groups", "mode")]


@pytest.mark.parametrize(
    ("module", "input"),
    [
        (nn.ConvTranspose1d(4, 6, 3, stride=2, groups=2), (4, 9)),
        (nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1), (4, 9, 8)),
        (nn.ConvTranspose3d(4, 6, 2, dilation=2), (4, 3, 4, 5)),
        (nn.Conv3d(4, 6, (1, 2, 3)), (4, 3, 4, 5)),
        (nn.Linear(7, 3), (5, 7)),
        (nn.PixelShuffle(2), (4, 3, 3)),
    ],
    ids=str,
)
def test_torchs_other_modules_cost_what_its_counter_finds(module: nn.Module, input: Shape) -> None:
    agrees(module.to("meta"), input)


class Doubling(nn.Conv2d):
    """Does more than the class that it is derived from."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + super().forward(input)


def test_a_derived_class_is_run_to_be_known() -> None:
    with torch.device("meta"):
        module = Doubling(4, 4, 1)
    assert known_cost(module, (4, 5, 5), (4, 5, 5)) is None
    assert measure_module(module, (4, 5, 5), needs_gradient=False).cost.multiply_adds == 2 * 16 * 25


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
def test_what_torch_cannot_count_is_told(module: nn.Module, is_counted: bool) -> None:
    cost = measure_module(module, (4, 6, 6), needs_gradient=True).cost
    assert (cost.multiply_adds, cost.is_counted) == (0, is_counted)


def test_kernels_are_those_of_windows() -> None:
    assert kernel_of(nn.Conv2d(1, 1, (3, 5)), (1, 9, 9)) == (3, 5)
    assert kernel_of(nn.MaxPool2d(2), (1, 9, 9)) == (2, 2)
    assert kernel_of(nn.AvgPool1d(3), (1, 9)) == (3,)
    assert kernel_of(nn.ReLU(), (1, 9)) is None
