"""Tables: a row for each sample, of which one column is to be predicted."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import torch
from pydantic import Field, PrivateAttr, model_validator
from torch import Tensor

from cnnctl.config.choice import refusal
from cnnctl.config.wording import show
from cnnctl.data.dataset import RegressionSet, StoredSplit
from cnnctl.data.division import latest_split
from cnnctl.data.file_set import FileSet, SampleCounts, not_surveyed
from cnnctl.data.normalization import Normalize
from cnnctl.data.paths import DataPath
from cnnctl.data.records import GivenSplit, numbered, test_part
from cnnctl.data.samples import DatasetInfo, Samples
from cnnctl.data.splits import Positions
from cnnctl.data.tables.cells import DATE, NUMBER, Cells, days_of, is_missing, number_of
from cnnctl.data.tables.columns import Column, encode, width_of
from cnnctl.data.tables.inference import Task, check_complete, class_names, kind_of, task_of
from cnnctl.data.tables.reading import MAX_COLUMNS, Table, read_table
from cnnctl.errors import ConfigPath, config_fault, nearest

RULES = ("group", "time", "split")
"""Options that name a column which decides the splits."""
SPLITS: dict[str, GivenSplit] = {"train": "train", "validation": "validation", "test": "test"}
ColumnName = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of a split that is stored: positions in the table, and what divides them further."""

    rows: Positions
    given: Sequence[GivenSplit | None]
    groups: Sequence[str] | None


class TableSet(FileSet, RegressionSet, kind="table"):
    """A CSV, TSV or Parquet file: numbers, categories and dates, and a column to predict.

    What separates the cells (, ; tab or |) follows from the header. The kind of each column is
    written into the experiment, with statistics and values of the training split alone.
    """

    path: DataPath
    """The file, relative to this file."""
    target: ColumnName
    """The column to predict."""
    task: Literal["auto"] | Task = "auto"
    """Predict classes or values; `auto` takes texts, two values and few integers for classes."""
    columns: Annotated[dict[str, Column], Field(max_length=MAX_COLUMNS)] = Field(default={})
    """Kinds of columns, by name; those that are not given follow from their cells."""
    group: ColumnName | None = None
    """A column whose equal cells stay in one split, such as a patient's number."""
    time: ColumnName | None = None
    """A column of numbers or dates; the latest samples are the test split, those before them
    validation."""
    split: ColumnName | None = None
    """A column that puts each sample in `train`, `validation` or `test`."""
    normalize: Literal["auto"] | Normalize | None = None
    """Mean and standard deviation of each feature; the columns have their own already."""
    _is_located: bool = PrivateAttr(default=False)
    """Whether the file was named on the command line, so that it may be another one."""

    def whole(self) -> DatasetInfo:
        counts = self.known_samples
        if self.task == "auto":
            raise not_surveyed()
        shape, names = (width_of(self.columns),), tuple(self.classes)
        count = counts.train + counts.validation
        return DatasetInfo(shape, names, len(names) or 1, count, has_test=counts.test > 0)

    @model_validator(mode="after")
    def _has_one_rule(self) -> Self:
        rules = [name for name in RULES if getattr(self, name)]
        if len(rules) > 1:
            hint = "use one of them"
            raise refusal(f"{' and '.join(rules)} cannot be combined", hint=hint)
        return self

    def surveyed(self, root: Path, *, seed: int) -> Self:
        if self.samples is not None:
            return self
        table = read_table(Path(self.path))
        self._check_names(table)
        known = self._with_task(table)
        parts = known._parts(table)
        train = parts["train"]
        if known.task == "classification" and not known.classes:
            classes = class_names(known._target_cells(table).take(train.rows))
            known = known.model_copy(update={"classes": classes})
        labels = known._targets(table, train.rows).numpy() if known.classes else None
        held = known.validation_part(train.given, seed=seed, classes=labels, groups=train.groups)
        counts = SampleCounts(
            train=len(train.rows) - len(held), validation=len(held), test=len(parts["test"].rows)
        )
        columns = known._learned_columns(table, np.delete(train.rows, held))
        return known.model_copy(update={"samples": counts, "columns": columns})

    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        table = read_table(Path(self.path))
        if split == "test" and self._is_another(table):
            note = f"{self.path} is not the file of the run: all {len(table):,} rows are tested"
            print(f"note: {note}", file=sys.stderr)
            part = Part(np.arange(len(table)), [None] * len(table), None)
            check_complete(self._target_cells(table), self.task)
        else:
            part = self._parts(table)[split]
        given = [at for at, each in enumerate(part.given) if each == "validation"]
        return Samples(
            encode(self.columns, table.take(part.rows)),
            self._targets(table, part.rows),
            validation=torch.tensor(given) if given else None,
            groups=part.groups,
            identity=table.digest,
        )

    def encoded(self, table: Table) -> Tensor:
        return encode(self.columns, table)

    def located(self, folder: Path | None) -> Self:
        located = super().located(folder)
        if folder is not None:
            located._is_located = True
        return located

    def _is_another(self, table: Table) -> bool:
        """Whether this is not the table of the run, and does not name splits itself."""
        known = {} if self.content == "auto" else self.content
        is_known = known.get("test", table.digest) == table.digest
        return self._is_located and not is_known and self.split not in table.columns

    def _check_names(self, table: Table) -> None:
        """Raise a FaultError for options that name columns which the table lacks."""
        named: list[tuple[ConfigPath, str | None]] = [
            *(((option,), getattr(self, option)) for option in ("target", *RULES)),
            *((("columns", name), name) for name in self.columns),
        ]
        for path, name in named:
            if name and name not in table.columns:
                message = f"{self.path} has no column {show(name)}"
                raise config_fault(message, hint=nearest(name, list(table.columns)), path=path)
        if self.target in self.columns:
            message = "the target is not a feature"
            raise config_fault(message, hint="remove it here", path=("columns", self.target))

    def _with_task(self, table: Table) -> Self:
        cells = self._target_cells(table)
        task = task_of(cells) if self.task == "auto" else self.task
        if task == "regression":
            return self.model_copy(update={"task": task, "classes": []})
        return self.model_copy(update={"task": task, "normalize_targets": None})

    def _target_cells(self, table: Table) -> Cells:
        return replace(table.cells(self.target), cure="or write task: classification")

    def _parts(self, table: Table) -> dict[StoredSplit, Part]:
        """The rows of each stored split; validation is a part of train."""
        cells = self._target_cells(table)
        check_complete(cells, self.task)
        given, times = self._given(table), self._times(table)
        groups = table.cells(self.group).values if self.group else None
        test = test_part(
            given,
            test=self.test_share,
            classes=numbered(cells.values) if self.task == "classification" else None,
            groups=groups,
            times=times,
        )
        train = np.setdiff1d(np.arange(len(table)), test)
        if times is not None:
            own = [times[at] for at in train]
            for at in latest_split(own, held_out=self.held_out(len(train)))[1]:
                given[train[at]] = "validation"

        def part(rows: Positions) -> Part:
            own = [groups[at] for at in rows] if groups else None
            return Part(rows, [given[at] for at in rows], own)

        return {"train": part(train), "test": part(test)}

    def _given(self, table: Table) -> list[GivenSplit | None]:
        """The split that the table puts each row in, if it does."""
        if not self.split:
            return [None] * len(table)
        cells = table.cells(self.split)
        for at, cell in enumerate(cells.values):
            if cell not in SPLITS:
                raise cells.fault(at, f"{show(cell)} is not a split", hint=nearest(cell, [*SPLITS]))
        return [SPLITS[cell] for cell in cells.values]

    def _times(self, table: Table) -> list[float] | None:
        if not self.time:
            return None
        cells = replace(table.cells(self.time), cure="")
        for at, cell in enumerate(cells.values):
            if is_missing(cell):
                raise cells.fault(at, "the time is missing", hint="fill it in, or remove the row")
        are_numbers = number_of(cells.values[0]) is not None
        times = cells.parsed(number_of, NUMBER) if are_numbers else cells.parsed(days_of, DATE)
        found: list[float] = times.tolist()
        return found

    def _targets(self, table: Table, rows: Positions) -> Tensor:
        """Classes (N,) int64, or values (N, 1) float32.

        Raises:
            FaultError: a class is not among those of the training split.
        """
        cells = self._target_cells(table).take(rows)
        if self.task == "regression":
            return torch.from_numpy(cells.parsed(number_of, NUMBER)).float()[:, None]
        numbers = {name: number for number, name in enumerate(self.classes)}
        for at, cell in enumerate(cells.values):
            if cell not in numbers:
                message = f"class {show(cell)} is not in the training split"
                raise cells.fault(at, message, hint=nearest(cell, self.classes))
        return torch.tensor([numbers[cell] for cell in cells.values], dtype=torch.int64)

    def _learned_columns(self, table: Table, train: Positions) -> dict[str, Column]:
        """The kinds of all features, with what is learned from these rows."""
        special = {self.target, self.group, self.time, self.split} - self.columns.keys()
        return {
            name: (self.columns.get(name) or kind_of(table.cells(name))).learned(
                table.cells(name).take(train)
            )
            for name in table.columns
            if name not in special
        }
