"""The order of the samples in an epoch."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def balanced_order(classes: Tensor, *, generator: Generator) -> Tensor:
    """As many positions as there are samples, each class equally often, to within one; shuffled.

    (N,) classes in, (N,) positions out. A class repeats all its samples before one of them comes
    again, so that they differ by one at most; a class with more samples than its share leaves some
    out, drawn anew each time.
    """
    samples = len(classes)
    order = torch.randperm(samples, generator=generator)
    by_class = order[torch.argsort(classes[order], stable=True)]
    counts = torch.bincount(classes)
    counts = counts[counts > 0]
    starts = counts.cumsum(0) - counts
    # the classes take turns, in an order of their own: where they do not divide, some have one more
    turn = torch.arange(samples)
    taken = torch.randperm(len(counts), generator=generator)[turn % len(counts)]
    drawn = by_class[starts[taken] + turn // len(counts) % counts[taken]]
    return drawn[torch.randperm(samples, generator=generator)]
