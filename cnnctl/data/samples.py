"""The parts of a data set: samples, splits and its description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.data.rows import Rows, TensorRows
from cnnctl.target import Target as Target  # noqa: PLC0414  (data sets import it from here)

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """The description of a data set, known without reading it."""

    shape: Shape
    """Shape of a sample, without the batch: (C, H, W), (C, L) or (F,)."""
    class_names: tuple[str, ...]
    """The classes or labels, in the order of their numbers; none for regression."""
    outputs: int
    """Classes, labels, or target values of a regression."""
    train_samples: int
    """Samples in the training split, after validation has been taken out."""
    target: str = "target"
    """The name of what is learned."""
    others: tuple[Target, ...] = ()
    """What else is known of each sample, for networks with several heads."""
    has_test: bool = True
    """Whether there is a test split."""
    is_multilabel: bool = False
    """Whether a sample can have several labels at once."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """All that can be learned; the first is what a network without heads learns."""
        main = Target(self.target, self.class_names, self.outputs, self.is_multilabel)
        return (main, *self.others)


@dataclass(frozen=True, slots=True)
class Samples:
    """Inputs and targets, all of them.

    inputs: (N, C, H, W) uint8, (N, C, L) or (N, F) float32; a tensor, or rows that lie elsewhere.
    targets: (N,) int64 classes, or (N, T) float32 values.
    others: further targets of the same samples, by name.
    """

    inputs: Tensor | Rows
    targets: Tensor
    others: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def rows(self) -> Rows:
        """The inputs as rows, wherever they lie."""
        return self.inputs if isinstance(self.inputs, Rows) else TensorRows(self.inputs)

    def take(self, indices: NDArray[np.int64]) -> Samples:
        """The samples at these positions, in this order and in memory of their own."""
        rows = torch.from_numpy(indices)
        others = {name: target.index_select(0, rows) for name, target in self.others.items()}
        return Samples(self.rows.take(rows), self.targets.index_select(0, rows), others)

    def with_columns(self, names: Sequence[str], *, main: str) -> Samples:
        """The samples with several targets concatenated, (N, columns) float32, in this order.

        A class is one column, which float32 holds exactly. `main` is the name of `targets`.
        """
        known = {main: self.targets, **self.others}
        columns = [known[name].float().reshape(len(self), -1) for name in names]
        return Samples(self.inputs, torch.cat(columns, dim=1))


@dataclass(frozen=True, slots=True)
class Split:
    """Some of these samples, by their positions; several splits share the samples of a file."""

    samples: Samples
    positions: Tensor
    """(n,) int64, ascending."""

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def targets(self) -> Tensor:
        """Its own targets, (n,) or (n, T)."""
        return self.samples.targets.index_select(0, self.positions)

    def target(self, name: str) -> Tensor:
        """Its own values of one of several targets, by its name, (n,) or (n, T)."""
        values = self.samples.others.get(name, self.samples.targets)
        return values.index_select(0, self.positions)

    def chunks(self) -> Iterator[Tensor]:
        """Its own inputs in order, a few megabytes at a time."""
        return self.samples.rows.chunks(self.positions)


@dataclass(frozen=True, slots=True)
class Splits:
    """The three splits of a data set; `validation` and `test` may be empty."""

    train: Split
    validation: Split
    test: Split
