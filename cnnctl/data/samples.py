"""What a data set is made of: samples, splits, and what is known of them beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.errors import data_fault

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that a data set knows of each sample, and that a network can learn."""

    name: str
    """What a head is named that learns it."""
    class_names: tuple[str, ...]
    """The classes, in the order of their numbers; none for values."""
    outputs: int
    """Classes, or values."""

    @property
    def is_classification(self) -> bool:
        """Whether it is a class."""
        return bool(self.class_names)


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
    target: str = "target"
    """The name of what is learned."""
    others: tuple[Target, ...] = ()
    """What else is known of each sample, for networks with several heads."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """All that can be learned; the first is what a network without heads learns."""
        return (Target(self.target, self.class_names, self.outputs), *self.others)

    @property
    def is_classification(self) -> bool:
        """Whether targets are classes."""
        return bool(self.class_names)


@dataclass(frozen=True, slots=True)
class Samples:
    """Inputs and targets, all of them.

    inputs: (N, C, H, W) uint8, (N, C, L) or (N, F) float32.
    targets: (N,) int64 classes, or (N, T) float32 values.
    others: further targets of the same samples, by name.
    """

    inputs: Tensor
    targets: Tensor
    others: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, indices: NDArray[np.int64]) -> Samples:
        """The samples at these positions, in this order."""
        rows = torch.from_numpy(indices)
        others = {name: target.index_select(0, rows) for name, target in self.others.items()}
        inputs, targets = self.inputs.index_select(0, rows), self.targets.index_select(0, rows)
        return Samples(inputs, targets, others)

    def with_columns(self, names: Sequence[str], *, main: str) -> Samples:
        """The samples with several targets side by side, (N, columns) float32, in this order.

        A class is one column, which float32 holds exactly. `main` is the name of `targets`.
        """
        known = {main: self.targets, **self.others}
        columns = [known[name].float().reshape(len(self), -1) for name in names]
        return Samples(self.inputs, torch.cat(columns, dim=1))

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
        known = {description.target: self.targets, **self.others}
        for target in description.targets:
            if target.is_classification:
                _check_labels(known[target.name], target.outputs, what)


def _check_labels(labels: Tensor, classes: int, what: str) -> None:
    low, high = (int(bound) for bound in torch.aminmax(labels))
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
