from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cnnctl.inspection import gather
from cnnctl.model.network import NetworkPlan, build

Architecture = Callable[..., NetworkPlan]


def test_lenet_has_the_published_parameters(lenet: NetworkPlan) -> None:
    summary = gather(lenet, batch_size=1)
    assert summary.parameters == summary.trainable == 61_706
    weighted = [row.parameters for row in summary.rows if row.parameters]
    assert weighted == [156, 2_416, 48_120, 10_164, 850]


def test_multiply_adds_are_those_worked_by_hand(lenet: NetworkPlan) -> None:
    by_name = {row.name: row.multiply_adds for row in gather(lenet, batch_size=1).rows}
    assert by_name["conv1"] == 6 * 28 * 28 * 25
    assert by_name["conv2"] == 16 * 10 * 10 * 6 * 25
    assert by_name["linear1"] == 400 * 120


def test_what_multiplies_nothing_has_no_multiply_adds(architecture: Architecture) -> None:
    layers = ["batch_norm", "relu", {"max_pool": 2}, {"dropout": 0.5}, "flatten"]
    rows = gather(architecture(*layers, input=(3, 8, 8)), batch_size=1).rows
    assert [row.multiply_adds for row in rows] == [None] * 5


def test_groups_divide_the_multiply_adds(architecture: Architecture) -> None:
    conv = {"conv": {"out_channels": 8, "kernel_size": 3, "padding": "same", "groups": 4}}
    (row,) = gather(architecture(conv, input=(4, 10, 10)), batch_size=1).rows
    assert row.multiply_adds == 8 * 10 * 10 * 9 * (4 // 4)


def conv(channels: int, kernel: int = 3, **options: Any) -> dict[str, Any]:
    return {"conv": {"out_channels": channels, "kernel_size": kernel, **options}}


def pool(kernel: int = 2) -> dict[str, Any]:
    return {"max_pool": {"kernel_size": kernel, "stride": 2}}


def head() -> list[Any]:
    hidden = [{"dropout": 0.5}, {"linear": 4096}, "relu"]
    return ["flatten", *hidden, *hidden, {"linear": "classes"}]


def alexnet() -> list[Any]:
    """torchvision.models.alexnet (Krizhevsky 2014)."""
    early = [conv(64, 11, stride=4, padding=2), "relu", pool(3), conv(192, 5, padding=2), "relu"]
    late = [step for width in (384, 256, 256) for step in (conv(width, padding=1), "relu")]
    return [*early, pool(3), *late, pool(3), {"adaptive_avg_pool": 6}, *head()]


def vgg11() -> list[Any]:
    """torchvision.models.vgg11 (Simonyan and Zisserman 2014)."""
    layers: list[Any] = []
    for widths in ((64,), (128,), (256, 256), (512, 512), (512, 512)):
        layers += [step for width in widths for step in (conv(width, padding=1), "relu")]
        layers += [pool()]
    return [*layers, {"adaptive_avg_pool": 7}, *head()]


@pytest.mark.parametrize(
    ("network", "parameters", "giga_multiply_adds"),
    [(alexnet, 61_100_840, 0.714), (vgg11, 132_863_336, 7.609)],
)
def test_published_networks_have_their_published_cost(
    architecture: Architecture,
    network: Callable[[], list[Any]],
    parameters: int,
    giga_multiply_adds: float,
) -> None:
    summary = gather(architecture(*network(), input=(3, 224, 224), classes=1000), batch_size=1)
    assert summary.parameters == parameters
    assert round(summary.multiply_adds / 1e9, 3) == giga_multiply_adds


def test_memory_is_what_the_tensors_of_a_real_network_take(lenet: NetworkPlan) -> None:
    summary = gather(lenet, batch_size=16)
    network = build(lenet, seed=0)
    value, total = torch.zeros(16, 1, 32, 32), 0
    addresses: set[int] = set()
    outputs = [value := module(value) for module in network]
    for output in outputs:  # flatten gives the memory of the pooling before it
        total += output.nbytes if output.data_ptr() not in addresses else 0
        addresses.add(output.data_ptr())
    assert summary.activation_bytes == total
    assert summary.weight_bytes == sum(weight.nbytes for weight in network.parameters())


def test_a_shared_parameter_is_counted_once(
    architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = architecture({"linear": 8}, {"linear": 8}, input=(8,))
    tied = nn.Linear(8, 8, device="meta")
    monkeypatch.setattr(type(plan.layers[0].layer), "build", lambda *_: tied)
    summary = gather(plan, batch_size=1)
    assert [row.parameters for row in summary.rows] == [72, 0]
    assert [row.multiply_adds for row in summary.rows] == [64, 64]


def test_frozen_parameters_are_not_trainable(
    architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = architecture({"linear": 3}, input=(8,))
    frozen = nn.Linear(8, 3, device="meta")
    frozen.weight.requires_grad_(False)
    monkeypatch.setattr(type(plan.layers[0].layer), "build", lambda *_: frozen)
    summary = gather(plan, batch_size=1)
    assert (summary.parameters, summary.trainable) == (27, 3)


def test_nothing_is_allocated_and_nothing_drawn(architecture: Architecture) -> None:
    state = torch.get_rng_state()
    layers = [{"linear": 990_000}, *[{"linear": 990_000}] * 30, {"dropout": 0.5}]
    plan = architecture(*layers, input=(10,))
    summary = gather(plan, batch_size=64)
    assert summary.weight_bytes > 10**14  # more than any machine has
    assert torch.equal(torch.get_rng_state(), state)


def test_a_module_is_measured_in_training(architecture: Architecture) -> None:
    """In evaluation dropout hands its input through and would seem to take no memory."""
    rows = gather(architecture({"dropout": 0.5}, "flatten", input=(8,)), batch_size=4).rows
    assert [row.activation_bytes for row in rows] == [4 * 8 * 4, 0]


def test_a_row_tells_what_a_layer_gets_and_how_it_starts(architecture: Architecture) -> None:
    first = {"conv": {"out_channels": 4, "kernel_size": [3, 5], "init": "orthogonal"}}
    plan = architecture(first, "relu", {"max_pool": 2}, "flatten", {"linear": 3}, input=(3, 8, 8))
    rows = gather(plan, batch_size=1).rows
    assert [row.input for row in rows] == [(3, 8, 8), (4, 6, 4), (4, 6, 4), (4, 3, 2), (24,)]
    assert [row.kernel for row in rows] == [(3, 5), None, (2, 2), None, None]
    assert [row.starts for row in rows] == ["orthogonal", "", "", "", "default"]
    assert {row.dtype for row in rows} == {"float32"}


def test_a_block_gets_what_its_first_layer_gets(architecture: Architecture) -> None:
    block = {"sequence": [{"conv": 4}, "relu"]}
    row = gather(architecture(block, input=(3, 8, 8)), batch_size=1).rows[0]
    assert (row.input, row.kernel, row.starts) == ((3, 8, 8), None, "")
