"""What a data set is made of: samples, splits, and what is known of them beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.target import Target as Target  # noqa: PLC0414  (data sets import it from here)

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """What is known of a data set without touching it."""

    shape: Shape
    """What one sample measures, without the batch: (C, H, W), (C, L) or (F,)."""
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

    inputs: (N, C, H, W) uint8, (N, C, L) or (N, F) float32.
    targets: (N,) int64 classes, or (N, T) float32 values.
    others: further targets of the same samples, by name.
    """

    inputs: Tensor
    targets: Tensor
    others: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.targets)

    def none(self) -> Samples:
        """No samples of the same shapes and dtypes."""
        return self.take(np.empty(0, dtype=np.int64))

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


@dataclass(frozen=True, slots=True)
class Splits:
    """A data set, cut in three; `validation` and `test` may be empty."""

    train: Samples
    validation: Samples
    test: Samples

    @property
    def there(self) -> dict[str, Samples]:
        """Those that are not empty, by name, the fairest measure first."""
        splits = {"test": self.test, "validation": self.validation, "train": self.train}
        return {name: samples for name, samples in splits.items() if len(samples)}
