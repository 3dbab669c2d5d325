"""Kinds of targets in the columns of a table: one class each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from cnnctl.config.bounds import PositiveInt
from cnnctl.config.choice import Choice
from cnnctl.config.wording import show
from cnnctl.data.normalization import Normalize
from cnnctl.data.splits import Positions
from cnnctl.data.tables.cells import NUMBER, Cells, number_of
from cnnctl.data.tables.columns import MAX_VALUES
from cnnctl.data.tables.inference import Task, check_complete, class_names
from cnnctl.data.tables.reading import Table
from cnnctl.errors import config_fault, nearest
from cnnctl.target import Target

ColumnName = Annotated[str, Field(min_length=1)]
ColumnNames = Annotated[list[ColumnName], Field(max_length=MAX_VALUES)]
BITS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}


@dataclass(frozen=True, slots=True)
class Strata:
    """What a cut into splits is stratified by: classes (N,), labels (N, L) or nothing."""

    classes: Positions | None = None
    labels: NDArray[np.bool_] | None = None


class TargetColumns(Choice, family="target_kinds"):
    """A target in one or several columns of a table, or in arrays."""

    task: ClassVar[Task]
    """What such a target is in a data set that has no other."""

    @abstractmethod
    def named(self, name: str) -> Self:
        """The same with its columns, which are by default the one of the target's name."""

    @property
    @abstractmethod
    def all_columns(self) -> Sequence[str]:
        """The columns that it is read from."""

    @abstractmethod
    def check(self, table: Table) -> None:
        """Raise a FaultError where a row has no target."""

    @abstractmethod
    def learned(self, train: Table) -> Self:
        """The same with its names filled in, from the rows of the training split."""

    @abstractmethod
    def described(self, name: str) -> Target:
        """The target, once its names are known."""

    @abstractmethod
    def encode(self, table: Table) -> Tensor:
        """Classes (N,) int64, labels (N, L) float32 of 0 and 1, or values (N, T) float32.

        Raises:
            FaultError: a cell is none of its classes, labels or values.
        """

    def strata(self, table: Table) -> Strata:
        """What a cut of these rows is stratified by, before any names are known."""
        return Strata()


class ClassColumn(TargetColumns, kind="class"):
    """One class per sample, in one column or array."""

    task = "classification"

    column: str = ""
    """The column or array (default: the one of the target's name)."""
    classes: Annotated[list[str], Field(max_length=MAX_VALUES)] = Field(default=[])
    """Class names, in order (default: those of the training split, sorted)."""

    def named(self, name: str) -> Self:
        return self.model_copy(update={"column": self.column or name})

    @property
    def all_columns(self) -> Sequence[str]:
        return [self.column]

    def check(self, table: Table) -> None:
        check_complete(table.cells(self.column), "classification")

    def learned(self, train: Table) -> Self:
        classes = self.classes or class_names(train.cells(self.column))
        return self.model_copy(update={"classes": classes})

    def described(self, name: str) -> Target:
        return Target(name, tuple(self.classes), len(self.classes))

    def encode(self, table: Table) -> Tensor:
        cells = table.cells(self.column)
        numbers = {name: number for number, name in enumerate(self.classes)}
        unknown = [at for at, cell in enumerate(cells.values) if cell not in numbers]
        if unknown:
            raise cells.faults(
                unknown,
                lambda cell: f"class {show(cell)} is not in the training split",
                lambda cell: nearest(cell, self.classes),
            )
        return torch.tensor([numbers[cell] for cell in cells.values], dtype=torch.int64)

    def strata(self, table: Table) -> Strata:
        names = np.asarray(table.cells(self.column).values, dtype=object)
        return Strata(classes=np.unique(names, return_inverse=True)[1].astype(np.int64))


class LabelColumns(TargetColumns, kind="labels"):
    """Any number of labels per sample: separated names in a column, or columns of 0 and 1.

    An empty cell of names has no label. Columns of 0 and 1 name the labels. Of arrays, one of 0 and
    1, (N, L), has them.
    """

    task = "multilabel"

    column: str = ""
    """The column of names, or the array (default: the one of the target's name)."""
    separator: Annotated[str, Field(min_length=1, max_length=10)] = ";"
    """What separates the names in a cell; blanks around them are removed."""
    columns: ColumnNames = Field(default=[])
    """Columns of 0 and 1 (or false and true), instead of names."""
    classes: Annotated[list[str], Field(max_length=MAX_VALUES)] = Field(default=[])
    """Label names, in order (default: those of the training split, sorted)."""

    def named(self, name: str) -> Self:
        if self.columns:
            return self.model_copy(update={"classes": self.columns})
        return self.model_copy(update={"column": self.column or name})

    @property
    def all_columns(self) -> Sequence[str]:
        return self.columns or [self.column]

    def check(self, table: Table) -> None:
        for name in self.columns:
            cells = table.cells(name)
            odd = [at for at, cell in enumerate(cells.values) if cell.lower() not in BITS]
            if odd:
                raise cells.faults(
                    odd,
                    lambda cell: f"{show(cell)} is neither 0 nor 1",
                    lambda _: "correct it, or remove the row",
                )

    def learned(self, train: Table) -> Self:
        labels = self.classes or sorted({name for row in self._names(train) for name in row})
        if len(labels) > MAX_VALUES:
            message = f"{len(labels):,} labels, more than the limit of {MAX_VALUES:,}"
            raise train.cells(self.column).fault(0, message, hint="check data.target")
        known = self.model_copy(update={"classes": labels})
        if not labels:
            message = "no row of the training split has a label"
            raise train.cells(self.column).fault(0, message, hint="choose another target")
        missing = ~known.encode(train).bool().any(dim=0)
        if missing.any():
            name = labels[int(missing.int().argmax())]
            message = f"no row of the training split has the label {show(name)}"
            hint = "remove it from the labels, or add rows that have it"
            raise config_fault(message, hint=hint)
        return known

    def described(self, name: str) -> Target:
        return Target(name, tuple(self.classes), len(self.classes), is_multilabel=True)

    def encode(self, table: Table) -> Tensor:
        if self.columns:
            self.check(table)
            bits = [[BITS[cell.lower()] for cell in table.columns[name]] for name in self.columns]
            return torch.tensor(bits, dtype=torch.float32).T.contiguous()
        numbers = {name: number for number, name in enumerate(self.classes)}
        cells, found = table.cells(self.column), torch.zeros(len(table), len(self.classes))
        for at, names in enumerate(self._names(table)):
            for name in names:
                if name not in numbers:
                    message = f"label {show(name)} is not in the training split"
                    raise cells.fault(at, message, hint=nearest(name, self.classes))
                found[at, numbers[name]] = 1
        return found

    def strata(self, table: Table) -> Strata:
        labels = self.classes or sorted({name for row in self._names(table) for name in row})
        known = self.model_copy(update={"classes": labels})
        return Strata(labels=known.encode(table).numpy() > 0)

    def _names(self, table: Table) -> list[list[str]]:
        """The names in each cell.

        Raises:
            FaultError: one is empty.
        """
        cells, rows = table.cells(self.column), []
        for at, cell in enumerate(cells.values):
            names = [name.strip() for name in cell.split(self.separator)] if cell else []
            if "" in names:
                message = f"{show(cell)} has an empty label"
                hint = f"separate labels by one {show(self.separator)}"
                raise cells.fault(at, message, hint=hint)
            rows.append(names)
        return rows


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

    def check(self, table: Table) -> None:
        for cells in self._cells(table):
            check_complete(cells, "regression")

    def learned(self, train: Table) -> Self:
        count = len(self.columns)
        if self.outputs not in (None, count):
            message = f"{self.outputs} outputs, but {count} columns"
            raise config_fault(message, hint="leave outputs out", path=("outputs",))
        return self

    def described(self, name: str) -> Target:
        return Target(name, (), self.outputs or len(self.columns))

    def encode(self, table: Table) -> Tensor:
        values = [cells.parsed(number_of, NUMBER) for cells in self._cells(table)]
        return torch.from_numpy(np.stack(values, axis=1)).float()

    def _cells(self, table: Table) -> list[Cells]:
        cure = "or predict classes"
        return [replace(table.cells(name), cure=cure) for name in self.columns]
