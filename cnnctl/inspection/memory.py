"""The memory that training needs, and that of the device."""

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
    """The memory that training needs, in bytes, at a batch size."""

    weights: int
    gradients: int
    optimizer_state: int
    activations: int
    """Activations saved for the backward pass; see `saved_activations`."""

    @property
    def total(self) -> int:
        """The sum."""
        return self.weights + self.gradients + self.optimizer_state + self.activations


def training_memory(summary: Summary, optimizer: Optimizer) -> TrainingMemory:
    """The memory for training a network in float32; only trainable weights have gradients.

    A lower bound: it excludes the data, temporary buffers of operators and torch itself.
    """
    gradients = summary.trainable_bytes
    state = gradients * optimizer.numbers_kept()
    return TrainingMemory(summary.weight_bytes, gradients, state, summary.kept_bytes)


def device_memory(name: str) -> tuple[str, int] | None:
    """The display name of `train.device`, and its memory in bytes.

    None if the device is unavailable or its memory unknown.
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
