"""Micro-batches: the parts of a batch whose gradients are computed one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from math import ceil, prod

import torch
from torch import Tensor

from cnnctl.model.network import NetworkPlan
from cnnctl.training.compilation import Answers

LARGEST = 2**25
"""Bytes of the largest tensor between two layers, as float32. With larger ones, activations leave
the cache, and the C library returns them to the system, which clears them anew: a network for
CIFAR-10 with 64 channels trained 2,000 images at 141 a second on a core, 295 in parts of 500, 340
in parts of 250, 376 in parts of 125, whose largest tensor has 31 MB, and 341 in parts of 32."""

SMALLEST = 32
"""Samples in a part, at least: each part adds to the gradients of all weights."""


def micro_batches(
    batches: Sequence[tuple[Tensor, Tensor]], answers: Sequence[Answers], *, size: int | None
) -> Iterator[tuple[Tensor, Tensor, Answers]]:
    """Inputs (B, ...), targets (B, ...) and answers in parts of this size; None takes each whole.

    The last part of a batch may be smaller.
    """
    for (inputs, targets), told in zip(batches, answers, strict=True):
        if size is None or size >= len(targets):
            yield inputs, targets, told
            continue
        parts = [torch.split(each, size) for each in told]
        by_part = zip(*parts, strict=True) if parts else repeat(())
        whole = zip(torch.split(inputs, size), torch.split(targets, size), by_part, strict=False)
        yield from whole


def fitting_size(plan: NetworkPlan, *, batch_size: int) -> int | None:
    """The size of equal parts of a batch whose tensors stay below `LARGEST`; None for the whole.

    Batch norms compute with the whole batch, so that other parts would give other results:
    networks with them are not split.
    """
    leaves = list(plan.leaves())
    if any(leaf.layer.mixes_samples for leaf in leaves):
        return None
    sample = 4 * max(max(prod(leaf.input), prod(leaf.output)) for leaf in leaves)
    parts = ceil(batch_size / max(SMALLEST, LARGEST // sample))
    return ceil(batch_size / parts) if parts > 1 else None
