"""Activations overwrite only what nobody reads again."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from cnnctl.model.in_place import rectify_in_place
from cnnctl.model.network import NetworkPlan, build

PlanOf = Callable[..., NetworkPlan]

CONV = "conv: {out_channels: 3, kernel_size: 3, padding: 1}"
BODY = f"[{CONV}, batch_norm, relu, {CONV}, batch_norm]"
NETWORKS = {
    "weights": (f"[{CONV}, relu, flatten, {{linear: 4}}, relu]", ["relu1", "relu2"]),
    "residual": (
        f"[{CONV}, residual: {{layers: {BODY}, activation: relu}}]",
        ["residual1.relu1", "residual1.activation.relu1"],
    ),
    # its input is what the shortcut passes on
    "shortcut": (f"[{CONV}, residual: [relu, {CONV}]]", []),
    "input": (f"[relu, {CONV}]", []),
    "pooled": (f"[{CONV}, max_pool: 2, relu]", []),
    "dropout": (f"[{CONV}, dropout: 0.5, relu]", []),
    "view": (f"[{CONV}, flatten, relu]", []),
    "saved": (f"[{CONV}, tanh, relu, {CONV}, silu]", []),
    "branches": (f"[{CONV}, branches: {{ways: [[relu], [tanh]], join: add}}]", []),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_read_again_is_kept(plan_of: PlanOf, name: str) -> None:
    layers, expected = NETWORKS[name]
    plan = plan_of(f"{{layers: {layers}}}")
    network = build(plan, seed=0)
    rectify_in_place(network, plan.graph)
    told = [name for name, part in network.named_modules() if getattr(part, "inplace", False)]
    assert told == expected


def results(network: nn.Module, inputs: Tensor) -> list[Tensor]:
    """Outputs, then gradients."""
    outputs = network(inputs)
    outputs.square().sum().backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert gradients
    return [outputs.detach(), *gradients]


@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_results_have_the_same_bits(plan_of: PlanOf, name: str, is_training: bool) -> None:
    plan = plan_of(f"{{layers: {NETWORKS[name][0]}}}")
    plain = build(plan, seed=0).train(is_training)
    changed = deepcopy(plain)
    rectify_in_place(changed, plan.graph)
    inputs = torch.randn(5, *plan.input)
    kept = inputs.clone()
    found = []
    for network in (plain, changed):
        torch.manual_seed(1)
        found.append(results(network, inputs))
    assert all(map(torch.equal, *found))
    assert torch.equal(inputs, kept)
