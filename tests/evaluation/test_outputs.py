"""What a network says to every sample, in order, with as much at a time as fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from cnnctl.config.nodes import Place, from_plain
from cnnctl.config.validation import validate
from cnnctl.evaluation.outputs import collect_outputs, evaluation_batch
from cnnctl.model import network
from cnnctl.model.network import Model, NetworkPlan


def plan_of(layers: Sequence[Any], *, input: tuple[int, ...]) -> NetworkPlan:
    model = validate(Model, from_plain({"layers": list(layers)}, Place("test")))
    return network.plan(model, input=input, classes=10)


def test_a_small_network_gets_a_thousand_samples_at_a_time() -> None:
    assert evaluation_batch(plan_of(["flatten", {"linear": 10}], input=(1, 28, 28))) == 1000


def test_a_network_with_large_activations_gets_fewer() -> None:
    conv = {"conv": {"out_channels": 64, "kernel_size": 3, "padding": 1}}
    # 2^28 numbers, of which a sample takes 3 * 512 * 512 and 64 times as many
    assert evaluation_batch(plan_of([conv], input=(3, 512, 512))) == 15
    assert evaluation_batch(plan_of([conv], input=(3, 4096, 4096))) == 1


def test_outputs_come_in_the_order_of_the_batches_and_the_mode_is_put_back() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.Flatten())
    inputs, targets = torch.arange(12.0).view(6, 2), torch.arange(6)
    batches = zip(inputs.split(4), targets.split(4), strict=True)  # type: ignore[no-untyped-call]
    outputs, wanted = collect_outputs(model, batches, precision="fp32")
    assert torch.equal(outputs, inputs)
    assert torch.equal(wanted, targets)
    assert model.training
    assert not outputs.requires_grad


def test_outputs_computed_in_bf16_are_float32() -> None:
    batches = [(torch.ones(3, 2), torch.ones(3))]
    outputs, _ = collect_outputs(nn.Linear(2, 2), batches, precision="bf16")
    assert outputs.dtype == torch.float32
    assert torch.equal(outputs, outputs.bfloat16().float())
