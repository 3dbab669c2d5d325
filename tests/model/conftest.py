"""What the tests of the model ask of a piece of YAML."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnctl.config.choice import Spec
from cnnctl.config.source import parse
from cnnctl.config.validation import validate
from cnnctl.errors import FaultError
from cnnctl.model.layer import Layer, Shape
from cnnctl.model.network import Model, NetworkPlan, plan


class Experiment(Spec):
    """As much of an experiment as the model needs."""

    model: Model


def read_plan(text: str, input: Shape = (1, 8, 8), classes: int = 10) -> NetworkPlan:
    """The plan of a model that is written as `{layers: [...]}`."""
    experiment = validate(Experiment, parse(f"model: {text}", origin="net.yaml"))
    return plan(experiment.model, input=input, classes=classes)


def read_faults(text: str, input: Shape = (1, 8, 8), classes: int = 10) -> list[str]:
    """All that is wrong with a model, as the user reads it."""
    with pytest.raises(FaultError) as raised:
        read_plan(text, input, classes)
    return [str(fault) for fault in raised.value.faults]


def assert_same(item: Any, input: Shape, expected: nn.Module) -> None:
    """The layer builds the same module: its class, its values in training and in evaluation."""
    module = Layer.read(item).build(input)
    assert type(module) is type(expected)
    expected.load_state_dict(module.state_dict())
    samples = torch.randn(3, *input, generator=torch.Generator().manual_seed(1))
    for training in (True, False):
        outputs = [_run(each.train(training), samples) for each in (module, expected)]
        torch.testing.assert_close(*outputs, rtol=0, atol=0)


def _run(module: nn.Module, samples: Tensor) -> Tensor:
    torch.manual_seed(0)  # for dropout
    with torch.no_grad():
        output: Tensor = module(samples)
    return output


@pytest.fixture
def plan_of() -> Callable[..., NetworkPlan]:
    return read_plan


@pytest.fixture
def faults_of() -> Callable[..., list[str]]:
    return read_faults


@pytest.fixture
def same() -> Callable[[Any, Shape, nn.Module], None]:
    return assert_same
