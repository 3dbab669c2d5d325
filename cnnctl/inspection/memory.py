"""The memory that training takes, and the memory that there is."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnctl.device import describe_device, pick_device
from cnnctl.errors import FaultError
from cnnctl.inspection.facts import Summary
from cnnctl.optim.optimizers import Optimizer


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """What training keeps, in bytes, at a batch size."""

    weights: int
    gradients: int
    optimizer_state: int
    activations: int
    """What the forward pass keeps for the backward pass; see `saved_activations`."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.gradients + self.optimizer_state + self.activations


def training_memory(summary: Summary, optimizer: Optimizer) -> TrainingMemory:
    """What training a network takes, in float32; only weights that learn have gradients.

    An estimate from below: the data, what single operators need for a moment, and what torch
    itself takes come on top.
    """
    gradients, kept = summary.trainable_bytes, optimizer.numbers_kept()
    state = gradients * (_seen_to_keep(optimizer) if kept is None else kept)
    return TrainingMemory(summary.weight_bytes, gradients, state, summary.kept_bytes)


def _seen_to_keep(optimizer: Optimizer) -> int:
    """Numbers that an optimizer keeps for each weight, counted after a step on a single one."""
    weight = torch.zeros(1, requires_grad=True)
    weight.grad = torch.zeros(1)
    built = optimizer.build([{"params": [weight]}], fused=False)
    built.step(lambda: 0.0)
    state = built.state[weight].values()
    return sum(isinstance(kept, Tensor) and kept.ndim > 0 for kept in state)


def device_memory(name: str) -> tuple[str, int] | None:
    """The device of `train.device` as people call it, and the bytes of memory that it has.

    None where the device is not there, or does not tell.
    """
    try:
        device = pick_device(name)
    except FaultError:
        return None
    if device.type == "cuda":
        return describe_device(device), torch.cuda.get_device_properties(device).total_memory
    try:
        return "the CPU", os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # as on Windows
        return None
