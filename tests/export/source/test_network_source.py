"""The source of networks: read by eye, and run beside the original."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from cnnctl.export.source import network_source
from cnnctl.model.network import NetworkPlan, build
from tests.examples import published

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


def source(plan: NetworkPlan) -> str:
    return network_source(plan, name="Network", classes=plan.output[0])


def made(text: str) -> nn.Module:
    """The network that a source defines."""
    names: dict[str, type[nn.Module]] = {}
    exec(compile(text, "network.py", "exec"), names)
    return names["Network"]()


def outputs(network: nn.Module, inputs: Tensor, *, training: bool) -> Tensor:
    torch.manual_seed(0)
    with torch.no_grad():
        given = network.train(training)(inputs)
    parts = list(given.values()) if isinstance(given, dict) else given
    return given if isinstance(given, Tensor) else torch.cat(list(parts), dim=1)


def assert_same(plan: NetworkPlan, text: str) -> None:
    """Check names, shapes, and outputs to the last bit, in evaluation and in training."""
    original, twin = build(plan, seed=0), made(text)
    shapes = {name: tensor.shape for name, tensor in original.state_dict().items()}
    assert {name: tensor.shape for name, tensor in twin.state_dict().items()} == shapes
    twin.load_state_dict(original.state_dict(), strict=True)
    inputs = torch.randn(2, *plan.input, generator=torch.Generator().manual_seed(0))
    for training in (True, False):
        ours, theirs = (outputs(each, inputs, training=training) for each in (original, twin))
        assert torch.equal(ours, theirs)


def ruff(*arguments: str, text: str) -> None:
    command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout + done.stderr


def test_lenet_reads_as_written_by_hand() -> None:
    plan = published("lenet5").plan
    assert network_source(plan, name="LeNet5", classes=10) == LENET


@pytest.mark.parametrize("name", ["lenet5", "resnet20", "squeezenet1_1"])
def test_a_source_computes_what_the_network_does(name: str) -> None:
    plan = published(name).plan
    assert_same(plan, source(plan))


def test_resnet18_is_a_page() -> None:
    text = source(published("resnet18").plan)
    assert len(text.splitlines()) <= 80
    assert text.count("class BasicBlock(nn.Module)") == 1
    ruff("format", "--check", text=text)
    ruff("check", "--select", "E,F,I,UP,B", text=text)
