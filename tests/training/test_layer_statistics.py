"""The figures of layers, against values worked by hand."""

from __future__ import annotations

from collections import OrderedDict
from math import inf, sqrt

import pytest
import torch
from torch import nn

from cnnctl.training.layer_statistics import (
    LayerStatistics,
    copy_of_weights,
    layer_statistics,
    observed_outputs,
)


def network_of(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


def by_name(rows: list[LayerStatistics]) -> dict[str, LayerStatistics]:
    return {row.layer: row for row in rows}


def linear(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight))
    layer.weight.data = torch.tensor(weight)
    layer.bias.data = torch.tensor(bias)
    return layer


def test_a_step_is_described_as_worked_by_hand() -> None:
    # y = 3 x1 + 4 x2 with x = (1, 2), loss = y: the gradient of w is x
    network = network_of(linear1=linear([[3.0, 4.0]], [100.0]))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    before = copy_of_weights(network)
    with observed_outputs(network) as outputs:
        network(torch.tensor([[1.0, 2.0]])).sum().backward()
    optimizer.step()
    (row,) = layer_statistics(network, outputs=outputs, before=before)
    assert row.layer == "linear1"
    assert row.gradient == pytest.approx(sqrt((1 + 4) / 2))
    assert row.weight == pytest.approx(sqrt((2.5**2 + 3.0**2) / 2))
    assert row.update == pytest.approx(0.5 * sqrt(1 + 4) / sqrt(9 + 16))
    assert row.mean == 111.0
    assert row.spread == 0.0
    assert row.dead is None
    assert row.saturated is None


def test_a_unit_is_dead_if_it_is_zero_for_every_sample() -> None:
    network = network_of(
        linear1=linear([[1.0], [-1.0], [0.0], [1.0]], [0.0, 0.0, -1.0, -9.0]), relu1=nn.ReLU()
    )
    with observed_outputs(network) as outputs:
        network(torch.tensor([[1.0], [-1.0]]))
    row = by_name(layer_statistics(network, outputs=outputs))["relu1"]
    assert row.dead == 0.5


def test_a_channel_is_dead_only_if_it_is_zero_everywhere() -> None:
    network = network_of(relu1=nn.ReLU())
    images = torch.full((2, 4, 3, 3), -1.0)
    images[1, 0, 2, 2] = 1.0
    with observed_outputs(network) as outputs:
        network(images)
    assert layer_statistics(network, outputs=outputs)[0].dead == 0.75


@pytest.mark.parametrize(
    ("module", "middle", "far"),
    [
        (nn.Sigmoid(), 0.5, 3.0),
        (nn.Tanh(), 0.5, 3.0),
        (nn.Hardtanh(-2.0, 2.0), 1.0, 2.0),
        (nn.Hardsigmoid(), 0.5, 3.0),
    ],
)
def test_units_far_from_the_middle_are_saturated(
    module: nn.Module, middle: float, far: float
) -> None:
    network = network_of(act=module)
    with observed_outputs(network) as outputs:
        network(torch.tensor([[middle, far, far, middle], [-middle, -far, far, middle]]))
    row = layer_statistics(network, outputs=outputs)[0]
    assert row.saturated == 0.5
    assert row.dead is None


def test_relu6_is_a_rectifier_though_torch_derives_it_from_hardtanh() -> None:
    network = network_of(relu1=nn.ReLU6())
    with observed_outputs(network) as outputs:
        network(torch.tensor([[-1.0, 1.0]]))
    row = layer_statistics(network, outputs=outputs)[0]
    assert (row.dead, row.saturated) == (0.5, None)


def test_layers_that_are_frozen_or_not_run_have_no_figures() -> None:
    network = network_of(linear1=nn.Linear(2, 2), relu1=nn.ReLU())
    network.requires_grad_(False)
    rows = by_name(layer_statistics(network))
    assert rows["linear1"].gradient is None
    assert rows["linear1"].update is None
    assert rows["linear1"].mean is None
    assert rows["relu1"] == LayerStatistics("relu1")


def test_a_gradient_that_is_not_finite_is_told_from_none() -> None:
    network = network_of(linear1=nn.Linear(1, 1))
    weight = next(network.parameters())
    weight.grad = torch.full_like(weight, torch.nan)
    assert layer_statistics(network)[0].gradient == inf


def test_the_layers_of_a_block_have_rows_and_the_block_none() -> None:
    body = network_of(conv1=nn.Conv2d(1, 1, 3), batch_norm1=nn.BatchNorm2d(1), relu1=nn.ReLU())
    network = network_of(residual1=body, flatten1=nn.Flatten())
    names = [row.layer for row in layer_statistics(network)]
    assert names == ["residual1.conv1", "residual1.batch_norm1", "residual1.relu1"]


def test_several_passes_count_as_one_with_all_samples() -> None:
    network = network_of(relu1=nn.ReLU(), tanh1=nn.Tanh())
    samples = torch.tensor([[-1.0, -9.0, 2.0], [4.0, -9.0, 0.1], [-3.0, -9.0, 5.0]])
    with observed_outputs(network) as together:
        network(samples)
    with observed_outputs(network) as apart:
        network(samples[:1])
        network(samples[1:])
    expected = layer_statistics(network, outputs=together)
    assert expected[0].dead == pytest.approx(1 / 3)
    assert expected[0].spread == pytest.approx(float(samples.relu().std(correction=0)))
    for one, other in zip(layer_statistics(network, outputs=apart), expected, strict=True):
        assert one.to_json() == pytest.approx(other.to_json())


def test_nothing_is_left_on_the_network() -> None:
    network = network_of(linear1=nn.Linear(1, 1))
    with observed_outputs(network) as outputs:
        network(torch.zeros(1, 1))
    first = layer_statistics(network, outputs=outputs)
    network(torch.ones(1, 1))
    assert layer_statistics(network, outputs=outputs) == first


def test_weights_of_zero_have_no_relative_update() -> None:
    network = network_of(linear1=linear([[0.0]], [0.0]))
    before = copy_of_weights(network)
    next(network.parameters()).data.fill_(1.0)
    assert layer_statistics(network, before=before)[0].update is None


def test_all_figures_are_plain_data() -> None:
    row = LayerStatistics("conv1", gradient=0.5)
    assert row.to_json()["gradient"] == 0.5
    assert row.to_json()["dead"] is None
