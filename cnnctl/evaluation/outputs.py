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
"""Limit on the bytes that one layer reads and writes at a time: a gigabyte."""


def evaluation_batch(plan: NetworkPlan) -> int:
    """Batch size for evaluation, which saves nothing for a backward pass."""
    largest = max(prod(stage.input) + prod(stage.output) for stage in plan.leaves())
    return max(1, min(MOST_SAMPLES, MOST_NUMBERS // largest))


@torch.no_grad()
def collect_outputs(
    network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], *, precision: str
) -> tuple[Tensor, Tensor]:
    """Run every batch through the network in evaluation mode, and restore its mode.

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
