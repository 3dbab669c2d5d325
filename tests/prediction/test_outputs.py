"""What a network says to every sample, in order, with as much at a time as fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import nn

from cnnctl.config.nodes import Place, from_plain
from cnnctl.config.validation import validate
from cnnctl.data.device_store import DeviceStore
from cnnctl.data.loader import Batches
from cnnctl.data.samples import Samples
from cnnctl.model import network
from cnnctl.model.network import Model, NetworkPlan
from cnnctl.prediction.outputs import block_size, collect_outputs, sizes_alike


def plan_of(layers: Sequence[Any], *, input: tuple[int, ...]) -> NetworkPlan:
    model = validate(Model, from_plain({"layers": list(layers)}, Place("test")))
    return network.plan(model, input=input, classes=10)


CPU = torch.device("cpu")


def test_larger_networks_compute_smaller_blocks() -> None:
    assert block_size(plan_of(["flatten", {"linear": 10}], input=(1, 28, 28)), CPU) == 256
    conv = {"conv": {"out_channels": 64, "kernel_size": 3, "padding": 1}}
    # 67 * 32 * 32 numbers a sample, of which 2^23 are computed together
    assert block_size(plan_of([conv], input=(3, 32, 32)), CPU) == 64
    assert block_size(plan_of([conv], input=(3, 32, 32)), torch.device("cuda")) == 256
    assert block_size(plan_of([conv], input=(3, 512, 512)), CPU) == 8
    # 2^28 numbers at a time, of which a sample takes 67 * 4096 * 4096
    assert block_size(plan_of([conv], input=(3, 4096, 4096)), CPU) == 1


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    "layers",
    [
        ["flatten", {"linear": 37}, "relu", {"linear": 5}],
        [{"conv": {"out_channels": 9, "kernel_size": 3}}, "tanh", "flatten", {"linear": 7}],
    ],
)
def test_a_sample_gets_the_same_bits_in_any_company(layers: list[Any], precision: str) -> None:
    plan = plan_of(layers, input=(1, 12, 12))
    model, samples = network.build(plan, seed=0), torch.randn(100, 1, 12, 12)
    store = DeviceStore(Samples(samples, torch.arange(100)), device=CPU)

    def outputs(positions: torch.Tensor) -> torch.Tensor:
        batches = Batches(store, positions=positions, batch_size=64)
        in_order = batches.in_order(batch_size=64, filled=True)
        return collect_outputs(model, in_order, precision=precision)[0]

    together = outputs(torch.arange(100))
    shuffled = torch.randperm(100)
    assert torch.equal(outputs(shuffled), together[shuffled])
    for alone in (0, 63, 64, 99):
        assert torch.equal(outputs(torch.tensor([alone])), together[alone : alone + 1])


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


class Counting(nn.Module):
    """A network whose outputs depend on the number of samples, as those of some kernels do."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs[:, :1] + min(len(inputs), self.most)


def test_sizes_of_blocks_are_alike_if_a_sample_gets_the_same_bits() -> None:
    plan = plan_of([{"linear": 1}], input=(4,))
    block = block_size(plan, CPU)
    assert block == 256
    for most, alike in ((0, [2**power for power in range(9)]), (64, [64, 128, 256]), (999, [256])):
        assert [*sizes_alike(Counting(most), plan, CPU, precision="fp32")] == alike


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_sample_gets_the_same_bits_in_blocks_of_all_sizes_alike(precision: str) -> None:
    layers = [{"conv": {"out_channels": 9, "kernel_size": 3}}, "tanh", "flatten", {"linear": 7}]
    plan = plan_of(layers, input=(1, 12, 12))
    model, samples = network.build(plan, seed=0), torch.randn(32, 1, 12, 12)
    whole = collect_outputs(model, [(samples, samples)], precision=precision)[0]
    for size in sizes_alike(model, plan, CPU, precision=precision):
        parts = [(part, part) for part in torch.split(samples, size)]
        assert torch.equal(collect_outputs(model, parts, precision=precision)[0], whole)
