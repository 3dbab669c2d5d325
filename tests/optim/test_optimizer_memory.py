"""What an optimizer says it keeps, and what it is seen to keep."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnctl.optim.optimizers import Optimizer
from cnnctl.optim.optimizers.quasi_newton import LBFGS

CASES: list[dict[str, Any]] = [
    *({"name": kind} for kind, member in Optimizer.kinds.items() if member is not LBFGS),
    {"name": "sgd", "momentum": 0.9},
    {"name": "rmsprop", "momentum": 0.9},
    {"name": "rmsprop", "momentum": 0.9, "centered": True},
    {"name": "rmsprop", "centered": True},
    {"name": "adam", "amsgrad": True},
    {"name": "adamw", "amsgrad": True},
]


def kept_after_steps(options: dict[str, Any], steps: int = 1) -> tuple[int, int]:
    """Numbers in the state, those of counters aside, and weights."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(30, 20), nn.Tanh(), nn.Linear(20, 1))
    weights = sum(p.numel() for p in network.parameters())
    groups = [{"params": list(network.parameters())}]
    optimizer = Optimizer.read(options).build(groups, fused=False)
    inputs, targets = torch.randn(64, 30), torch.randn(64, 1)

    def closure() -> float:
        optimizer.zero_grad()
        loss = functional.mse_loss(network(inputs), targets)
        torch.autograd.backward(loss)
        return loss.item()

    for _ in range(steps):
        optimizer.step(closure)
    return sum(map(_numbers, optimizer.state.values())), weights


def _numbers(state: dict[str, Any]) -> int:
    lists = [item for value in state.values() if isinstance(value, list) for item in value]
    tensors = [value for value in (*state.values(), *lists) if isinstance(value, Tensor)]
    return sum(tensor.numel() for tensor in tensors if tensor.ndim)


@pytest.mark.parametrize("options", CASES, ids=str)
def test_every_kind_keeps_after_a_step_what_it_says(options: dict[str, Any]) -> None:
    numbers, weights = kept_after_steps(options)
    assert numbers == weights * Optimizer.read(options).numbers_kept()


def test_lbfgs_keeps_its_whole_history_in_the_end() -> None:
    options = {"name": "lbfgs", "history_size": 3, "lr": 0.1}
    numbers, weights = kept_after_steps(options, steps=2)
    assert numbers == weights * Optimizer.read(options).numbers_kept()
