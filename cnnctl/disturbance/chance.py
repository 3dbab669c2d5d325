"""Random numbers that belong to samples, whatever the batch, the device and the strength."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from cnnctl.data.loader import combined_seed


@dataclass(frozen=True, slots=True)
class Chance:
    """What is drawn for each sample of a batch: a function of the seed, the disturbance and the
    position of the sample.

    Strengths and networks are then compared with common random numbers: each sample is moved in
    the same direction, only farther.
    """

    seed: int
    kind: str
    """The disturbance."""
    positions: Sequence[int]
    """The positions of the samples in their dataset, (N,)."""
    device: torch.device

    def uniform(self, *shape: int) -> Tensor:
        """Numbers from 0 to 1, (N, *shape)."""
        return self._drawn(lambda generator: torch.rand(shape, generator=generator))

    def normal(self, *shape: int) -> Tensor:
        """Numbers with mean 0 and standard deviation 1, (N, *shape)."""
        return self._drawn(lambda generator: torch.randn(shape, generator=generator))

    def sign(self) -> Tensor:
        """-1 or 1, (N,)."""
        return torch.where(self.uniform() < 0.5, -1.0, 1.0)

    def _drawn(self, draw: Callable[[Generator], Tensor]) -> Tensor:
        """On the CPU, so that all devices get the same numbers."""
        seeds = (combined_seed(self.kind, self.seed, position) for position in self.positions)
        return torch.stack([draw(Generator().manual_seed(seed)) for seed in seeds]).to(self.device)
