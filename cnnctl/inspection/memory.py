"""The memory that training takes, and the memory that there is."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

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
    gradients = summary.trainable_bytes
    state = gradients * optimizer.numbers_kept()
    return TrainingMemory(summary.weight_bytes, gradients, state, summary.kept_bytes)


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
