"""Samples, splits and the description of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.data.rows import Rows, TensorRows
from cnnctl.data.sampling import ShardOrder
from cnnctl.target import Target as Target  # noqa: PLC0414  (datasets import it from here)

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """The description of a dataset, known without reading it."""

    shape: Shape
    """Shape of a sample, without the batch: (C, H, W), (C, L) or (F,)."""
    class_names: tuple[str, ...]
    """The classes or labels, in the order of their numbers; none for regression."""
    outputs: int
    """Classes, labels, or target values of a regression."""
    train_samples: int
    """Samples in the training split, without those held out for validation."""
    target: str = "target"
    """Name of the main target."""
    others: tuple[Target, ...] = ()
    """Further targets, for networks with several heads."""
    has_test: bool = True
    """Whether there is a test split."""
    is_multilabel: bool = False
    """Whether a sample can have several labels at once."""
    is_soft: bool = False
    """Whether classes or labels are given as probabilities."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """All targets; a network without heads learns the first."""
        naming = (self.target, self.class_names, self.outputs)
        return (Target(*naming, self.is_multilabel, self.is_soft), *self.others)


def by_position(position: int) -> str:
    """How messages call a sample that has no name: by its position."""
    return f"sample {position:,} (counted from 0)"


@dataclass(frozen=True, slots=True)
class Samples:
    """Inputs and targets.

    inputs: (N, C, H, W) uint8, (N, C, L) or (N, F) float32; a tensor, or rows stored elsewhere.
    targets: (N,) int64 classes, (N, C) float32 probabilities of classes, (N, L) float32 labels of 0
    and 1 or their probabilities, or (N, T) float32 values.
    others: further targets of the same samples, by name.
    validation: positions held out for validation, (n,) int64, where the source has such a split.
    groups: the group of each sample, where samples of one group must stay together.
    identity: a hash of the files that they are from, where it is known.
    called: how messages call the sample at a position: its file, or its line.
    order: how they are shuffled where not all are within reach at once.
    """

    inputs: Tensor | Rows
    targets: Tensor
    others: Mapping[str, Tensor] = field(default_factory=dict)
    validation: Tensor | None = None
    groups: Sequence[str] | None = None
    identity: str = ""
    called: Callable[[int], str] = by_position
    order: ShardOrder | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def rows(self) -> Rows:
        """The inputs as rows."""
        return self.inputs if isinstance(self.inputs, Rows) else TensorRows(self.inputs)

    def take(self, indices: NDArray[np.int64]) -> Samples:
        """A copy of the samples at these positions, in this order."""
        rows = torch.from_numpy(indices)
        others = {name: target.index_select(0, rows) for name, target in self.others.items()}
        return Samples(self.rows.take(rows), self.targets.index_select(0, rows), others)

    def with_columns(self, names: Sequence[str], *, main: str) -> Samples:
        """The samples with several targets concatenated, (N, columns) float32, in this order.

        A class is one column, which float32 represents exactly. `main` is the name of `targets`.
        """
        known = {main: self.targets, **self.others}
        columns = [known[name].float().reshape(len(self), -1) for name in names]
        return replace(self, targets=torch.cat(columns, dim=1), others={})


@dataclass(frozen=True, slots=True)
class Split:
    """A subset of samples, by position; several splits can share the samples of a file."""

    samples: Samples
    positions: Tensor
    """(n,) int64, ascending."""

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def targets(self) -> Tensor:
        """Its targets, (n,) or (n, T)."""
        return self.samples.targets.index_select(0, self.positions)

    def target(self, name: str) -> Tensor:
        """Its own values of one of several targets, by its name, (n,) or (n, T)."""
        values = self.samples.others.get(name, self.samples.targets)
        return values.index_select(0, self.positions)

    def chunks(self) -> Iterator[Tensor]:
        """Its inputs in order, a few megabytes at a time."""
        return self.samples.rows.chunks(self.positions)


@dataclass(frozen=True, slots=True)
class Splits:
    """The three splits of a dataset; `validation` and `test` may be empty."""

    train: Split
    validation: Split
    test: Split
