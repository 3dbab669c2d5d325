"""Activation checkpointing: the same bits from fewer saved tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnctl.config.nodes import Place, from_plain
from cnnctl.distillation.features import Taps
from cnnctl.errors import FaultError
from cnnctl.experiment import complete
from cnnctl.inspection import gather
from cnnctl.model import network
from cnnctl.model.freezing import freezing_of
from cnnctl.model.network import Model, NetworkPlan
from cnnctl.model.recomputation import Choice, check_recomputation, recompute_, segments_of
from tests.inspection.conftest import saved

CONV = {"conv": {"out_channels": 6, "kernel_size": 3, "padding": 1}}
CHAIN: list[Any] = [CONV, "batch_norm", "relu", {"dropout": 0.3}, CONV, "tanh", CONV, "relu"]
RESIDUAL = {"residual": {"layers": ["relu", CONV, "batch_norm", {"dropout": 0.2}, CONV]}}
NETWORKS: dict[str, list[Any]] = {
    "chain": [*CHAIN, *CHAIN, "flatten", {"linear": 3}],
    "blocks": [CONV, RESIDUAL, RESIDUAL, "batch_norm", RESIDUAL, "flatten", {"linear": 3}],
    "in place first": [CONV, {"residual": {"layers": ["silu", CONV]}}, "flatten", {"linear": 3}],
    "auxiliary": [
        CONV,
        {"auxiliary": [CONV, "batch_norm", "flatten", {"linear": 3}]},
        RESIDUAL,
        "flatten",
        {"linear": 3},
    ],
}


def planned(name: str) -> NetworkPlan:
    model = Model.model_validate({"layers": NETWORKS[name]})
    return network.plan(model, input=(6, 8, 8), classes=3)


def passed(module: nn.Module) -> list[Tensor]:
    """Outputs, gradients and buffers after two steps of forward and backward, and what is drawn."""
    torch.manual_seed(4)
    inputs = torch.randn(5, 6, 8, 8)
    found = []
    for _ in range(2):
        output = module(inputs)
        output.square().sum().backward()
        found.append(output.detach())
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    return [*found, *gradients, *module.buffers(), torch.rand(3)]


def both(name: str, choice: Choice, frozen: tuple[str, ...] = ()) -> tuple[nn.Module, nn.Module]:
    plain, other = (network.build(planned(name), seed=1) for _ in range(2))
    for module in (plain, other):
        freezing_of(module, list(frozen), unfreeze_at=None).begin_epoch(1)
    recompute_(other, choice)
    return plain, other


@pytest.mark.parametrize("choice", [True, ["*1"], ["*"], ["residual*", "conv2"]])
@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_gradients_statistics_and_chance_are_the_same_bits(
    name: str, choice: Choice
) -> None:
    plain, other = both(name, choice)
    assert all(torch.equal(one, two) for one, two in zip(passed(plain), passed(other), strict=True))


@pytest.mark.parametrize("frozen", [("conv1",), ("conv1", "residual1"), ("*.weight",)])
def test_frozen_parts_stay_so(frozen: tuple[str, ...]) -> None:
    plain, other = both("blocks", True, frozen)
    assert all(torch.equal(one, two) for one, two in zip(passed(plain), passed(other), strict=True))


def test_a_layer_that_is_noted_is_noted_once_and_learns() -> None:
    plain, other = both("blocks", True)
    found = []
    for module in (plain, other):
        torch.manual_seed(0)
        taps = Taps(module, ["residual1.conv1"])
        module(torch.randn(4, 6, 8, 8))
        torch.autograd.backward(taps.take()["residual1.conv1"].square().sum())
        assert not taps.noted
        gradient = module.get_parameter("residual1.conv1.weight").grad
        assert gradient is not None
        found.append(gradient)
    assert torch.equal(found[0], found[1])


@pytest.mark.parametrize("name", ["chain", "blocks"])
def test_fewer_tensors_are_saved_and_the_summary_knows_how_many(name: str) -> None:
    plan = planned(name)
    plain, other = both(name, True)
    outside = saved(other, plan, 4)
    told = gather(plan, batch_size=4, recompute=True).kept_bytes
    before = gather(plan, batch_size=4).kept_bytes
    assert before <= saved(plain, plan, 4) < 1.01 * before  # batch norms save two numbers a channel
    assert outside < told < 0.75 * before  # the rest is that of one segment at a time


def test_blocks_are_segments_and_rows_are_cut_into_stretches() -> None:
    module = network.build(planned("blocks"), seed=0)
    assert [segment.names for segment in segments_of(module, True)] == [
        ("residual1",),
        ("residual2",),
        ("residual3",),
    ]
    chain = network.build(planned("chain"), seed=0)
    first, *others = [segment.names for segment in segments_of(chain, True)]
    assert first == ("conv1", "batch_norm1", "relu1", "dropout1", "conv2")
    assert "linear1" not in {name for names in others for name in names}


def test_a_name_that_matches_nothing_is_a_fault() -> None:
    module = network.build(planned("blocks"), seed=0)
    [fault] = check_recomputation(["conv1", "residul1"], module)
    assert fault.path == (1,)
    assert "residual1" in fault.hint


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"activation_checkpointing": ["lineer1"]}, "no layer or block is named lineer1"),
        ({"activation_checkpointing": True, "compile": True}, "cannot be combined"),
    ],
)
def test_an_experiment_is_checked_for_it(train: dict[str, Any], message: str) -> None:
    plain = {"data": "moons", "model": {"layers": [{"linear": "classes"}]}, "train": train}
    with pytest.raises(FaultError, match=message):
        complete(from_plain(plain, Place("test")), "test")
