"""A column of cells as the targets of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.data.sample_source import SampleTargets
from cnnctl.data.splits import Positions
from cnnctl.data.tables.cells import Cells
from cnnctl.data.tables.inference import Task, task_of
from cnnctl.data.tables.reading import Table
from cnnctl.data.tables.targets import ClassColumn, LabelColumns, TargetColumns, ValueColumns


@dataclass(frozen=True, slots=True)
class CellTargets(SampleTargets):
    """The cells of a column, one for each sample: a class, separated labels or a value."""

    cells: Cells

    @property
    def name(self) -> str:
        return self.cells.name

    @property
    def width(self) -> int:
        return 1

    def found_task(self) -> Task:
        return task_of(self.cells)

    def of(self, task: Task) -> SampleTargets:
        self._columns(task).check(self._table())
        return self

    def names(self, rows: Positions) -> list[str]:
        learned = ClassColumn(column=self.name).learned(self._table().take(rows))
        return learned.classes

    def label_names(self, given: Sequence[str], rows: Positions) -> list[str]:
        columns = LabelColumns(column=self.name, classes=list(given))
        return columns.learned(self._table().take(rows)).classes

    def numbered(self) -> Positions:
        classes = ClassColumn(column=self.name).strata(self._table()).classes
        assert classes is not None  # which a column of classes is stratified by
        return classes

    def labels(self) -> NDArray[np.bool_]:
        labels = LabelColumns(column=self.name).strata(self._table()).labels
        assert labels is not None  # as above
        return labels

    def tensor(self, task: Task, classes: Sequence[str], rows: Positions) -> Tensor:
        return self._columns(task, classes).encode(self._table().take(rows))

    def _table(self) -> Table:
        """The cells as a table of one column."""
        cells = self.cells
        return Table(cells.place, {cells.name: cells.values}, cells.lines, digest="")

    def _columns(self, task: Task, classes: Sequence[str] = ()) -> TargetColumns:
        if task == "regression":
            return ValueColumns(columns=[self.name])
        if task == "multilabel":
            return LabelColumns(column=self.name, classes=list(classes))
        return ClassColumn(column=self.name, classes=list(classes))
