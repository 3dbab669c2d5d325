"""What a network says to every sample of a split."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from cnnctl.device import autocast


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
