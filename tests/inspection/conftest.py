"""Networks that published tables describe."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnctl.model.network import Model, NetworkPlan, plan

Architecture = Callable[..., NetworkPlan]


@pytest.fixture
def architecture() -> Architecture:
    """Layers, as a file would hold them -> their plan."""

    def planned(*layers: Any, input: tuple[int, ...], classes: int = 10) -> NetworkPlan:
        model = Model.model_validate({"layers": list(layers)})
        return plan(model, input=input, classes=classes)

    return planned


@pytest.fixture
def lenet(architecture: Architecture) -> NetworkPlan:
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


def saved(module: nn.Module, plan: NetworkPlan, batch_size: int) -> int:
    """Bytes of the storages that a forward pass saves, without weights and statistics."""
    own = {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers())}
    found: dict[int, Tensor] = {}

    def note(tensor: Tensor) -> Tensor:
        found[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = module(torch.randn(batch_size, *plan.input))
    assert output.requires_grad
    return sum(t.untyped_storage().nbytes() for at, t in found.items() if at not in own)
