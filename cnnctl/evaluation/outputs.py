"""The outputs of a network for all samples of a split."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import torch
from torch import Tensor, nn

from cnnctl.device import autocast
from cnnctl.model.network import NetworkPlan

MOST_SAMPLES = 1000
MOST_NUMBERS = 2**28
"""Bytes that one layer may read and write at a time: a gigabyte."""


def evaluation_batch(plan: NetworkPlan) -> int:
    """Samples at a time, where nothing has to be kept for a backward pass."""
    largest = max(prod(stage.input) + prod(stage.output) for stage in plan.leaves())
    return max(1, min(MOST_SAMPLES, MOST_NUMBERS // largest))


@torch.no_grad()
def collect_outputs(
    network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], *, precision: str
) -> tuple[Tensor, Tensor]:
    """Run every batch through the network in evaluation mode; its mode is put back after.

    Returns:
        outputs (N, *output) float32, and the targets (N, …), both in the batches' order.
    """
    was_training = network.training
    network.eval()
    outputs, targets = [], []
    for inputs, wanted in batches:
        with autocast(precision, inputs.device):
            outputs.append(network(inputs).float())
        targets.append(wanted)
    network.train(was_training)
    return torch.cat(outputs), torch.cat(targets)
