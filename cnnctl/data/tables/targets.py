"""Kinds of targets in columns of a table, or in arrays: one class each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from cnnctl.config.bounds import PositiveInt
from cnnctl.config.choice import Choice
from cnnctl.data.normalization import Normalize
from cnnctl.data.sample_targets import TargetSource, Task
from cnnctl.data.splits import Positions
from cnnctl.data.tables.cell_targets import check_present
from cnnctl.data.tables.columns import MAX_VALUES
from cnnctl.errors import config_fault
from cnnctl.target import Target

ColumnName = Annotated[str, Field(min_length=1)]
ColumnNames = Annotated[list[ColumnName], Field(max_length=MAX_VALUES)]
ClassNames = Annotated[list[str], Field(max_length=100_000)]


@dataclass(frozen=True, slots=True)
class Strata:
    """What a cut into splits is stratified by: classes (N,), labels (N, L) or nothing."""

    classes: Positions | None = None
    labels: NDArray[np.bool_] | None = None


class TargetColumns(Choice, family="target_kinds"):
    """A target in one or several columns of a table, or in arrays."""

    task: ClassVar[Task]
    """What such a target is in a dataset that has no other."""

    @abstractmethod
    def named(self, name: str) -> Self:
        """The same with its columns, which are by default the one of the target's name."""

    @property
    @abstractmethod
    def all_columns(self) -> Sequence[str]:
        """The columns or arrays that it is read from."""

    def check(self, source: TargetSource) -> None:
        """Raise a FaultError where a sample has no target, or one of another kind."""
        for name in self.all_columns:
            source.targets(name).check(self.task)

    @abstractmethod
    def learned(self, train: TargetSource) -> Self:
        """The same with its names or number filled in, from the samples of the training split.

        Raises:
            FaultError: they do not fit those that are given.
        """

    @abstractmethod
    def described(self, name: str) -> Target:
        """The target, once its names are known."""

    @abstractmethod
    def encode(self, source: TargetSource) -> Tensor:
        """Classes (N,) int64, labels (N, L) float32 of 0 and 1, or values (N, T) float32.

        Raises:
            FaultError: a target is none of its classes, labels or values.
        """

    def strata(self, source: TargetSource) -> Strata:
        """What a cut of these samples is stratified by, before any names are known."""
        return Strata()


class ClassColumn(TargetColumns, kind="class"):
    """One class per sample, in one column or array."""

    task = "classification"

    column: str = ""
    """The column or array (default: the one of the target's name)."""
    classes: ClassNames = Field(default=[])
    """Class names, in order (default: those of the training split, sorted)."""

    def named(self, name: str) -> Self:
        return self.model_copy(update={"column": self.column or name})

    @property
    def all_columns(self) -> Sequence[str]:
        return [self.column]

    def learned(self, train: TargetSource) -> Self:
        classes = self.classes or train.targets(self.column).class_names()
        return self.model_copy(update={"classes": classes})

    def described(self, name: str) -> Target:
        return Target(name, tuple(self.classes), len(self.classes))

    def encode(self, source: TargetSource) -> Tensor:
        return source.targets(self.column).class_numbers(self.classes)

    def strata(self, source: TargetSource) -> Strata:
        return Strata(classes=source.targets(self.column).class_codes())


class LabelColumns(TargetColumns, kind="labels"):
    """Any number of labels per sample: separated names in a column, or columns of 0 and 1.

    An empty cell of names has no label. Columns of 0 and 1, or of -1 and 1, name the labels. Of
    arrays, one of 0 and 1, (N, L), has them, or several of (N,).
    """

    task = "multilabel"

    column: str = ""
    """The column of names, or the array (default: the one of the target's name)."""
    separator: Annotated[str, Field(min_length=1, max_length=10)] = ";"
    """What separates the names in a cell; blanks around them are removed."""
    columns: ColumnNames = Field(default=[])
    """Columns or arrays of 0 and 1 (or false and true), one for each label, instead of names."""
    classes: ClassNames = Field(default=[])
    """Label names, in order (default: those of the training split, sorted)."""

    def named(self, name: str) -> Self:
        if self.columns:
            return self.model_copy(update={"classes": self.columns})
        return self.model_copy(update={"column": self.column or name})

    @property
    def all_columns(self) -> Sequence[str]:
        return self.columns or [self.column]

    def check(self, source: TargetSource) -> None:
        if self.columns:
            self._bits(source)
        else:
            super().check(source)

    def learned(self, train: TargetSource) -> Self:
        if self.columns:
            check_present(self.columns, self._bits(train))
            return self
        targets = train.targets(self.column)
        names = targets.label_names(self.classes, separator=self.separator)
        return self.model_copy(update={"classes": names})

    def described(self, name: str) -> Target:
        return Target(name, tuple(self.classes), len(self.classes), is_multilabel=True)

    def encode(self, source: TargetSource) -> Tensor:
        if self.columns:
            return self._bits(source)
        return source.targets(self.column).labels(self.classes, separator=self.separator)

    def strata(self, source: TargetSource) -> Strata:
        return Strata(labels=self.encode(source).numpy() > 0)

    def _bits(self, source: TargetSource) -> Tensor:
        return torch.stack([source.targets(name).bits() for name in self.columns], dim=1)


class ValueColumns(TargetColumns, kind="values"):
    """One or several numbers per sample."""

    task = "regression"

    columns: ColumnNames = Field(default=[])
    """The columns or arrays (default: the one of the target's name)."""
    normalize: Literal["auto"] | Normalize | None = "auto"
    """Mean and standard deviation of each value; `auto` computes them on the training split, null
    disables it. Metrics are in the original units."""
    outputs: PositiveInt | None = None
    """Number of values (default: counted)."""

    def named(self, name: str) -> Self:
        return self.model_copy(update={"columns": self.columns or [name]})

    @property
    def all_columns(self) -> Sequence[str]:
        return self.columns

    def learned(self, train: TargetSource) -> Self:
        count = self.encode(train).shape[1]
        if self.outputs not in (None, count):
            message = f"{self.outputs} outputs, but the target has {count} values"
            raise config_fault(message, hint="leave outputs out", path=("outputs",))
        return self.model_copy(update={"outputs": count if count > len(self.columns) else None})

    def described(self, name: str) -> Target:
        return Target(name, (), self.outputs or len(self.columns))

    def encode(self, source: TargetSource) -> Tensor:
        return torch.cat([source.targets(name).values() for name in self.columns], dim=1)
