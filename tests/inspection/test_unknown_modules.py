"""Networks that are one layer of ours: rows for what is in them, and exact totals."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cnnctl.inspection import Summary, gather
from cnnctl.model.layer import Layer, Shape
from cnnctl.model.network import NetworkPlan

Architecture = Callable[..., NetworkPlan]

IMAGE = (3, 64, 64)


def with_module(
    module: nn.Module, architecture: Architecture, patch: pytest.MonkeyPatch, *, input: Shape
) -> Summary:
    """The summary of a network whose only layer makes this module, and tells nothing of it."""
    plan = architecture("identity", input=input)
    kind = type(plan.layers[0].layer)
    patch.setattr(kind, "build", lambda *_: module.to("meta"))
    patch.setattr(kind, "multiply_adds", Layer.multiply_adds)
    return gather(plan, batch_size=3)


def test_a_network_of_torchvision_is_shown_with_the_layers_in_it(
    architecture: Architecture,
) -> None:
    summary = gather(architecture({"torchvision": "resnet18"}, input=IMAGE), batch_size=4)
    whole, *rows = summary.rows
    assert (whole.is_block, whole.output, len(rows)) == (True, (10,), 20 + 20 + 9 + 3)
    first = rows[0]
    assert (first.name, first.block, first.kind) == (
        "torchvision1.conv1",
        "torchvision1",
        "Conv2d",
    )
    assert (first.input, first.output, first.kernel) == (IMAGE, (64, 32, 32), (7, 7))
    assert first.multiply_adds == 64 * 32 * 32 * 3 * 49
    assert first.activation_bytes == 4 * 64 * 32 * 32 * 4
    assert (first.depth, first.starts, first.is_block) == (1, "", False)


@pytest.mark.parametrize(
    "name",
    [
        *("resnet18", "googlenet", "vit_b_32", "mobilenet_v3_small"),
        *(pytest.param(name, marks=pytest.mark.long) for name in ("swin_t", "convnext_tiny")),
    ],
)
def test_its_totals_are_those_of_the_whole(name: str, architecture: Architecture) -> None:
    shape = (3, 224, 224)
    plan = architecture({"torchvision": name}, input=shape)
    summary = gather(plan, batch_size=1)
    with torch.device("meta"):
        module = plan.layers[0].layer.build(shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.empty(2, *shape, device="meta"))
    assert summary.multiply_adds == counter.get_total_flops() // 4
    assert summary.parameters == sum(p.numel() for p in module.parameters())
    assert summary.is_counted


class Own(nn.Module):
    """Has a layer, which it calls twice, and a parameter and a product of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 6)
        self.table = nn.Parameter(torch.zeros(6, 5))

    def forward(self, input: Tensor) -> Tensor:
        inner: Tensor = self.inner(self.inner(input))
        return inner @ self.table


class Odd(nn.Module):
    """Has a layer, and work of its own that nobody can count."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 6)

    def forward(self, input: Tensor) -> Tensor:
        inner: Tensor = self.inner(input)
        spectrum: Tensor = torch.fft.fft(inner)
        return spectrum.real


def test_what_a_module_does_by_itself_is_its_rest(
    architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = with_module(Own(), architecture, monkeypatch, input=(6,))
    whole, inner, rest = summary.rows
    assert (inner.name, inner.multiply_adds, inner.parameters) == ("identity1.inner", 72, 42)
    assert (rest.name, rest.multiply_adds, rest.parameters) == ("identity1.rest", 30, 30)
    assert (whole.multiply_adds, whole.parameters) == (102, 72)
    assert (summary.multiply_adds, summary.parameters) == (102, 72)


def test_only_what_nobody_can_count_is_not_counted(
    architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = with_module(Odd(), architecture, monkeypatch, input=(6,))
    assert [(row.name, row.is_counted) for row in summary.rows] == [
        ("identity1", False),
        ("identity1.inner", True),
        ("identity1.rest", False),
    ]
    assert not summary.is_counted


def test_a_chain_of_modules_keeps_its_order(
    architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain: Any = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(inplace=True), nn.MaxPool2d(2))
    )
    summary = with_module(chain, architecture, monkeypatch, input=(3, 8, 8))
    rows = summary.layers
    assert [row.name for row in rows] == ["identity1.0", "identity1.1.0", "identity1.1.1"]
    assert [row.output for row in rows] == [(4, 6, 6), (4, 6, 6), (4, 3, 3)]
    assert [row.activation_bytes // 12 for row in rows] == [144, 0, 36]  # in place: no memory
