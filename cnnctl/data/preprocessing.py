"""Preprocessing of stored samples for a network, and its inverse for predictions.

Everything that feeds a network or reads its outputs uses this, so that all get the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from cnnctl.data.dataset import DataSet
from cnnctl.data.normalization import WHITE, Levels, Normalize
from cnnctl.errors import data_fault


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Casts and normalises inputs and target values, and reverses the latter."""

    normalize: Normalize | None = None
    """Normalisation of inputs."""
    normalize_targets: Mapping[str, Normalize] = field(default_factory=dict)
    """Normalisation of values to predict, by the name of their target."""
    _known: dict[object, tuple[Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What `factor_and_summand` has computed: a service asks for it with every batch."""

    @classmethod
    def of(cls, data: DataSet) -> Preprocessing:
        """The preprocessing of a dataset with known statistics.

        Raises:
            FaultError: they have not been measured.
        """
        targets = {name: _measured(each) for name, each in data.target_normalizations.items()}
        return cls(_measured(data.normalize) if data.normalize else None, targets)

    def inputs(self, stored: Tensor) -> Tensor:
        """Stored inputs (B, C, …), as the network takes them: float32, normalised."""
        factor, summand = self.factor_and_summand(stored.ndim, stored.shape[1], stored.dtype)
        return torch.addcmul(summand, stored, factor)

    def factor_and_summand(
        self, ndim: int, channels: int, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """What `inputs` multiplies by and adds, (C, 1, …) for inputs of these dimensions."""
        asked = ndim, channels, dtype
        if asked not in self._known:
            mean, std = self._mean_and_std(ndim, channels)
            largest = WHITE if dtype == torch.uint8 else 1
            self._known[asked] = 1 / (std * largest), -mean / std
        return self._known[asked]

    def levels(self, ndim: int, channels: int) -> Levels:
        """Black and white as `inputs` makes them, (C, 1, …) for inputs of these dimensions."""
        mean, std = self._mean_and_std(ndim, channels)
        return Levels(black=-mean / std, white=(1 - mean) / std)

    def _mean_and_std(self, ndim: int, channels: int) -> tuple[Tensor, Tensor]:
        none = torch.zeros(channels), torch.ones(channels)
        mean, std = self.normalize.tensors() if self.normalize else none
        spread = (channels, *[1] * (ndim - 2))
        return mean.view(spread), std.view(spread)

    def targets(self, values: Tensor, *, name: str) -> Tensor:
        """The targets of this name: values (N, T) normalised, all else as it is."""
        normalize = self.normalize_targets.get(name)
        return normalize.apply(values) if normalize else values

    def undo(self, values: Tensor, *, name: str) -> Tensor:
        """Targets of this name or predictions of them, values (N, T) in their original units."""
        normalize = self.normalize_targets.get(name)
        return normalize.undo(values) if normalize else values


def _measured(normalize: str | Normalize) -> Normalize:
    if isinstance(normalize, str):
        message = "the normalisation statistics have not been measured"
        raise data_fault(message, hint="use a checkpoint, or the config.yaml of a run")
    return normalize
