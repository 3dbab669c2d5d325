"""What a data set is made of: samples, splits, and what is known of them beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.errors import data_fault

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a data set without touching it."""

    shape: Shape
    """What one sample measures, without the batch: (C, H, W), (C, L) or (F,)."""
    class_names: tuple[str, ...]
    """The classes, in the order of their numbers; none for regression."""
    outputs: int
    """Classes, or target values of a regression."""
    train_samples: int
    """Samples in the training split, after validation has been taken out."""

    @property
    def is_classification(self) -> bool:
        """Whether targets are classes."""
        return bool(self.class_names)


@dataclass(frozen=True, slots=True)
class Samples:
    """Inputs and targets, all of them.

    inputs: (N, C, H, W) uint8, (N, C, L) or (N, F) float32.
    targets: (N,) int64 classes, or (N, T) float32 values.
    """

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, indices: NDArray[np.int64]) -> Samples:
        """The samples at these positions, in this order."""
        rows = torch.from_numpy(indices)
        return Samples(self.inputs.index_select(0, rows), self.targets.index_select(0, rows))

    def check(self, description: Description, *, what: str) -> None:
        """Raise a FaultError where these samples are not what was described."""
        if len(self.inputs) != len(self.targets):
            counts = f"{len(self.inputs)} samples, but {len(self.targets)} targets"
            raise data_fault(f"{what} has {counts}", cure="the files do not belong together")
        if not len(self):
            raise data_fault(f"{what} has no samples", cure="delete its files and load them again")
        shape = tuple(self.inputs.shape[1:])
        if shape != description.shape:
            message = f"{what} has samples of {_times(shape)}, not of {_times(description.shape)}"
            raise data_fault(message, cure="the files are those of another data set")
        if description.is_classification:
            self._check_labels(description.outputs, what)

    def _check_labels(self, classes: int, what: str) -> None:
        low, high = (int(bound) for bound in torch.aminmax(self.targets))
        if low < 0 or high >= classes:
            message = f"{what} has labels from {low} to {high}, but classes from 0 to {classes - 1}"
            raise data_fault(message, cure="the files are damaged, or those of another data set")


def _times(shape: Shape) -> str:
    return "x".join(map(str, shape))


@dataclass(frozen=True, slots=True)
class Splits:
    """A data set, cut in three; `validation` may be empty."""

    train: Samples
    validation: Samples
    test: Samples
