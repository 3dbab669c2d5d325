"""The source of networks, as it reads."""

from typing import Any

from cnnctl.export.source import network_source
from cnnctl.model.network import Model, NetworkPlan
from cnnctl.model.network import plan as plan_network
from tests.examples import published
from tests.export.source.twins import assert_plain, assert_same, source

LENET = '''\
"""LeNet5"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LeNet5(nn.Module):
    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.linear1 = nn.Linear(400, 120)
        self.linear2 = nn.Linear(120, 84)
        self.linear3 = nn.Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.conv1(x))  # 6x28x28
        x = F.avg_pool2d(x, 2)  # 6x14x14
        x = torch.tanh(self.conv2(x))  # 16x10x10
        x = F.avg_pool2d(x, 2)  # 16x5x5
        x = torch.flatten(x, 1)  # 400
        x = torch.tanh(self.linear1(x))  # 120
        x = torch.tanh(self.linear2(x))  # 84
        return self.linear3(x)
'''


def of(*layers: Any, input: tuple[int, ...] = (4, 8, 8)) -> NetworkPlan:
    model = Model.model_validate({"layers": list(layers)})
    return plan_network(model, input=input, classes=3)


def residual(width: int, **options: Any) -> dict[str, Any]:
    conv = {"conv": {"out_channels": width, "padding": 1} | options}
    return {"residual": {"layers": [conv, "relu"], "shortcut": "auto"}}


def test_lenet_reads_as_written_by_hand() -> None:
    plan = published("lenet5").plan
    assert network_source(plan, name="LeNet5", classes=10) == LENET


def test_resnet18_is_a_page() -> None:
    text = source(published("resnet18").plan)
    assert_plain(text)
    assert text.count("class BasicBlock(nn.Module)") == 1
    assert "if stride != 1 or in_channels != out_channels:" in text


def test_blocks_that_differ_in_numbers_are_one_class() -> None:
    plan = of(residual(4), residual(8, stride=2), residual(8))
    text = source(plan)
    assert text.count("class ResidualBlock(") == 1
    assert "ResidualBlock(4, 8, stride=2)" in text
    assert_same(plan, text)


def test_a_width_that_is_a_multiple_is_written_as_one() -> None:
    layers = [
        {"residual": [{"conv": {"out_channels": 4 * c, "kernel_size": 1}}, "gelu", c1]}
        for c, c1 in ((4, {"conv": {"out_channels": 4, "kernel_size": 1}}),)
    ]
    wider = {"conv": {"out_channels": 8, "kernel_size": 1}}
    narrow = {"conv": {"out_channels": 32, "kernel_size": 1}}
    plan = of(*layers, wider, {"residual": [narrow, "gelu", wider]})
    text = source(plan)
    assert "nn.Conv2d(channels, 4 * channels, 1)" in text
    assert_same(plan, text)


def test_equal_numbers_of_other_options_stay_apart() -> None:
    layers = [
        {"residual": [{"conv": {"kernel_size": n, "dilation": n, "padding": "same"} | width}]}
        for n, width in ((3, {"out_channels": 4}), (5, {"out_channels": 4}))
    ]
    text = source(of(*layers))
    assert "def __init__(self, kernel_size: int, dilation: int) -> None:" in text


def test_repetitions_become_a_loop() -> None:
    unit = {"conv": {"out_channels": 4, "padding": 1}}
    plan = of({"repeat": {"times": 5, "layers": [unit, "relu"]}}, "flatten", {"linear": 3})
    text = source(plan)
    assert_same(plan, text)
    assert "for _ in range(5)" in text
    plan = of({"dense": {"times": 4, "layers": [unit]}})
    text = source(plan)
    assert "for in_channels in range(4, 20, 4)" in text
    assert_same(plan, text)


def test_rates_that_rise_evenly_become_a_formula() -> None:
    text = source(published("convnext_tiny").plan)
    assert "stochastic_depth=round(0.1 * n / 17, 6)) for n in range(6, 15)" in text


def test_auxiliary_classifiers_come_with_the_outputs_in_training() -> None:
    aside = {"auxiliary": ["flatten", {"linear": "classes"}]}
    plan = of({"conv": 4}, aside, "flatten", {"linear": "classes"})
    text = source(plan)
    assert "return (x, auxiliary1) if self.training else x" in text
    assert_same(plan, text)


def test_names_that_python_has_are_left_to_it() -> None:
    hostile = [{"sequence": {"name": name, "layers": ["relu", "flatten"]}} for name in ("F", "nn")]
    plan = of({"conv": {"name": "class", "out_channels": 4}}, *hostile, {"linear": 3})
    assert_same(plan, source(plan))
