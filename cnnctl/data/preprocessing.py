"""Preprocessing of stored samples for a network, and its inverse for predictions.

Everything that feeds a network or reads its outputs uses this, so that all get the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cnnctl.data.dataset import DataSet, RegressionSet
from cnnctl.data.normalization import WHITE, Levels, Normalize
from cnnctl.errors import data_fault


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Casts and normalises inputs and target values, and reverses the latter."""

    normalize: Normalize | None = None
    """Normalisation of inputs."""
    normalize_targets: Normalize | None = None
    """Normalisation of target values."""

    @classmethod
    def of(cls, data: DataSet) -> Preprocessing:
        """The preprocessing of a data set with known statistics.

        Raises:
            FaultError: they have not been measured.
        """
        targets = data.normalize_targets if isinstance(data, RegressionSet) else None
        return cls(_known(data.normalize), _known(targets))

    def inputs(self, stored: Tensor) -> Tensor:
        """Stored inputs (B, C, …), as the network takes them: float32, normalised."""
        factor, summand = self.factor_and_summand(stored.ndim, stored.shape[1], stored.dtype)
        return torch.addcmul(summand, stored, factor)

    def factor_and_summand(
        self, ndim: int, channels: int, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """What `inputs` multiplies by and adds, (C, 1, …) for inputs of these dimensions."""
        mean, std = self._mean_and_std(ndim, channels)
        largest = WHITE if dtype == torch.uint8 else 1
        return 1 / (std * largest), -mean / std

    def levels(self, ndim: int, channels: int) -> Levels:
        """Black and white as `inputs` makes them, (C, 1, …) for inputs of these dimensions."""
        mean, std = self._mean_and_std(ndim, channels)
        return Levels(black=-mean / std, white=(1 - mean) / std)

    def _mean_and_std(self, ndim: int, channels: int) -> tuple[Tensor, Tensor]:
        none = torch.zeros(channels), torch.ones(channels)
        mean, std = self.normalize.tensors() if self.normalize else none
        spread = (channels, *[1] * (ndim - 2))
        return mean.view(spread), std.view(spread)

    def targets(self, values: Tensor) -> Tensor:
        """Classes (N,) as they are, values (N, T) normalised."""
        return self.normalize_targets.apply(values) if self.normalize_targets else values

    def undo(self, values: Tensor) -> Tensor:
        """Targets or predictions (N, T) in their original units."""
        return self.normalize_targets.undo(values) if self.normalize_targets else values


def _known(normalize: str | Normalize | None) -> Normalize | None:
    if isinstance(normalize, str):
        message = "the normalisation statistics have not been measured"
        raise data_fault(message, hint="use a checkpoint, or the config.yaml of a run")
    return normalize
