"""A column of cells as the targets of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.config.wording import show
from cnnctl.data.records import numbered
from cnnctl.data.sample_set import SampleTargets, SampleTask
from cnnctl.data.splits import Positions
from cnnctl.data.tables.cells import NUMBER, Cells, number_of
from cnnctl.data.tables.inference import check_complete, class_names, task_of
from cnnctl.errors import config_fault, nearest


@dataclass(frozen=True, slots=True)
class CellTargets(SampleTargets):
    """The cells of a column, one for each sample: classes or values."""

    cells: Cells

    @property
    def name(self) -> str:
        return self.cells.name

    @property
    def width(self) -> int:
        return 1

    def found_task(self) -> SampleTask:
        return task_of(self.cells)

    def of(self, task: SampleTask) -> SampleTargets:
        if task == "multilabel":
            message = "a column has one class for each series, not several labels"
            raise config_fault(
                message, hint="use auto, or rows of 0 and 1 in arrays", path=("task",)
            )
        check_complete(self.cells, task)
        return CellTargets(replace(self.cells, cure="or write task: classification"))

    def names(self, rows: Positions) -> list[str]:
        return class_names(self.cells.take(rows))

    def numbered(self) -> Positions:
        return numbered(self.cells.values)

    def labels(self) -> NDArray[np.bool_]:
        raise NotImplementedError("a column has no labels")

    def tensor(self, task: SampleTask, classes: Sequence[str], rows: Positions) -> Tensor:
        cells = self.cells.take(rows)
        if task == "regression":
            return torch.from_numpy(cells.parsed(number_of, NUMBER)).float()[:, None]
        numbers = {name: number for number, name in enumerate(classes)}
        for at, cell in enumerate(cells.values):
            if cell not in numbers:
                message = f"class {show(cell)} is not in the training split"
                raise cells.fault(at, message, hint=nearest(cell, classes))
        return torch.tensor([numbers[cell] for cell in cells.values], dtype=torch.int64)
