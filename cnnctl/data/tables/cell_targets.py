"""A column of cells as the targets of samples."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from cnnctl.config.wording import show
from cnnctl.data.sample_targets import SampleTargets, Task
from cnnctl.data.splits import Positions
from cnnctl.data.tables.cells import NUMBER, Cells, number_of
from cnnctl.data.tables.columns import MAX_VALUES
from cnnctl.data.tables.inference import check_complete, class_names, task_of
from cnnctl.errors import config_fault, nearest

BITS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
SIGNS = {"-1": False, "1": True, "-1.0": False, "1.0": True}
"""What some tables write instead; beside a 0, a -1 means something else, such as unknown."""


@dataclass(frozen=True, slots=True)
class CellTargets(SampleTargets):
    """The cells of a column, one for each sample: a class, separated labels, 0 or 1, or a value."""

    cells: Cells

    @property
    def name(self) -> str:
        return self.cells.name

    def take(self, rows: Positions) -> CellTargets:
        return CellTargets(self.cells.take(rows))

    def found_task(self) -> Task:
        return task_of(replace(self.cells, cure="or write task: classification"))

    def check(self, task: Task) -> None:
        if task != "multilabel":  # an empty cell has no label
            check_complete(self.cells, task)

    def class_names(self) -> list[str]:
        return class_names(self.cells)

    def class_codes(self) -> Positions:
        names = np.asarray(self.cells.values, dtype=object)
        return np.unique(names, return_inverse=True)[1].astype(np.int64)

    def class_numbers(self, classes: Sequence[str]) -> Tensor:
        cells, numbers = self.cells, {name: number for number, name in enumerate(classes)}
        unknown = [at for at, cell in enumerate(cells.values) if cell not in numbers]
        if unknown:
            raise cells.faults(
                unknown,
                lambda cell: f"class {show(cell)} is not in the training split",
                lambda cell: nearest(cell, list(classes)),
            )
        return torch.tensor([numbers[cell] for cell in cells.values], dtype=torch.int64)

    def label_names(self, given: Sequence[str], *, separator: str) -> list[str]:
        labels = list(given) or self._found_labels(separator)
        if len(labels) > MAX_VALUES:
            message = f"{len(labels):,} labels, more than the limit of {MAX_VALUES:,}"
            raise self.cells.fault(0, message, hint="check data.target")
        if not labels:
            message = "no row of the training split has a label"
            raise self.cells.fault(0, message, hint="choose another target")
        check_present(labels, self.labels(labels, separator=separator))
        return labels

    def labels(self, names: Sequence[str], *, separator: str) -> Tensor:
        known = list(names) or self._found_labels(separator)
        numbers = {name: number for number, name in enumerate(known)}
        found = torch.zeros(len(self.cells), len(known))
        for at, own in enumerate(self._separated(separator)):
            for name in own:
                if name not in numbers:
                    message = f"label {show(name)} is not in the training split"
                    raise self.cells.fault(at, message, hint=nearest(name, known))
                found[at, numbers[name]] = 1
        return found

    def bits(self) -> Tensor:
        cells, known = self.cells, bits_of(self.cells.values)
        odd = [at for at, cell in enumerate(cells.values) if cell.lower() not in known]
        if odd:
            raise cells.faults(
                odd,
                lambda cell: f"{show(cell)} is neither 0 nor 1",
                lambda _: "correct it, or remove the row",
            )
        return torch.tensor([known[cell.lower()] for cell in cells.values], dtype=torch.float32)

    def values(self) -> Tensor:
        cells = replace(self.cells, cure="or predict classes")
        return torch.from_numpy(cells.parsed(number_of, NUMBER)).float()[:, None]

    def _found_labels(self, separator: str) -> list[str]:
        return sorted({name for own in self._separated(separator) for name in own})

    def _separated(self, separator: str) -> list[list[str]]:
        """The names in each cell.

        Raises:
            FaultError: one is empty.
        """
        rows = []
        for at, cell in enumerate(self.cells.values):
            names = [name.strip() for name in cell.split(separator)] if cell else []
            if "" in names:
                message = f"{show(cell)} has an empty label"
                hint = f"separate labels by one {show(separator)}"
                raise self.cells.fault(at, message, hint=hint)
            rows.append(names)
        return rows


def bits_of(cells: Collection[str]) -> Mapping[str, bool]:
    """What such cells of one label mean, by their lower case: SIGNS if all are, or BITS."""
    return SIGNS if {*cells} <= SIGNS.keys() else BITS


def check_present(names: Sequence[str], labels: Tensor) -> None:
    """Raise a FaultError for a label that no sample has; `labels` (N, L) are of these names."""
    missing = ~labels.bool().any(dim=0)
    if missing.any():
        name = names[int(missing.int().argmax())]
        message = f"no row of the training split has the label {show(name)}"
        hint = "remove it from the labels, or add rows that have it"
        raise config_fault(message, hint=hint)
