"""Networks that published tables describe."""

from collections.abc import Callable
from typing import Any

import pytest

from cnnctl.model.network import Model, Plan, plan

Architecture = Callable[..., Plan]


@pytest.fixture
def architecture() -> Architecture:
    """Layers, as a file would hold them -> their plan."""

    def planned(*layers: Any, input: tuple[int, ...], classes: int = 10) -> Plan:
        model = Model.model_validate({"layers": list(layers)})
        return plan(model, input=input, classes=classes)

    return planned


@pytest.fixture
def lenet(architecture: Architecture) -> Plan:
    """LeNet-5: 6c5-pool-16c5-pool-120-84-10 on 32x32 (LeCun et al. 1998)."""
    features = [
        {"conv": {"out_channels": 6, "kernel_size": 5}},
        "tanh",
        {"avg_pool": 2},
        {"conv": {"out_channels": 16, "kernel_size": 5}},
        "tanh",
        {"avg_pool": 2},
        "flatten",
    ]
    head = [{"linear": 120}, "tanh", {"linear": 84}, "tanh", {"linear": "classes"}]
    return architecture(*features, *head, input=(1, 32, 32))
