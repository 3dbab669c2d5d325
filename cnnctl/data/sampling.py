"""The order of the samples in an epoch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True, slots=True)
class ShardOrder:
    """Shuffles samples so that those of a shard stay close."""

    shards: Tensor
    """The number of the shard of each sample, (N,)."""
    buffer: int
    """Each sample moves by less than so many places."""

    def at(self, positions: Tensor) -> ShardOrder:
        """The same for the samples at these positions."""
        return ShardOrder(self.shards[positions.cpu()], self.buffer)

    def shuffled(self, generator: Generator) -> Tensor:
        """All positions, (N,): shard by shard, in a random order of these, then each moved."""
        turns = torch.randperm(int(self.shards.max()) + 1, generator=generator)
        by_shard = torch.argsort(turns[self.shards], stable=True)
        places = torch.arange(len(by_shard), dtype=torch.float64)
        moves = torch.rand(len(by_shard), dtype=torch.float64, generator=generator)
        return by_shard[torch.argsort(places + moves * self.buffer, stable=True)]


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
