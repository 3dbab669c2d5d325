"""The base of data sets whose targets and splits are in columns of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, Self

from pydantic import model_validator
from torch import Tensor

from cnnctl.config.choice import refusal
from cnnctl.config.wording import show
from cnnctl.data.dataset import StoredSplit
from cnnctl.data.file_set import SampleCounts
from cnnctl.data.parts import Known, StoredPart, parts_of
from cnnctl.data.records import SPLIT_WORDS, GivenSplit
from cnnctl.data.splits import Positions
from cnnctl.data.tables.cells import DATE, NUMBER, days_of, is_missing, number_of
from cnnctl.data.tables.inference import Task, task_of
from cnnctl.data.tables.reading import Table
from cnnctl.data.tables.targets import ColumnName, TargetColumns
from cnnctl.data.targeting import MAIN, Targeting
from cnnctl.errors import ConfigPath, below, config_fault, nearest

RULES = ("group", "time", "split")
"""Options that name a column which decides the splits."""


class TargetedSet(Targeting):
    """A data set whose targets and splits are in columns of a table."""

    target: str = ""
    """The column to predict."""
    task: Literal["auto"] | Task = "auto"
    """Predict classes, labels (several at once, separated by ;) or values; `auto` takes texts, two
    values and few integers for classes."""
    group: ColumnName | None = None
    """A column whose equal cells stay in one split, such as a patient's number."""
    time: ColumnName | None = None
    """A column of numbers or dates; the latest samples are the test split, those before them
    validation."""
    split: ColumnName | None = None
    """A column that puts each sample in `train`, `validation` (or `val`) or `test`."""

    @model_validator(mode="after")
    def _is_targeted(self) -> Self:
        if bool(self.target) == bool(self.targets):
            message = "target and targets exclude each other" if self.target else "no target"
            raise refusal(message, hint="write target: COLUMN, or targets: {HEAD: class}")
        rules = [name for name in RULES if getattr(self, name)]
        if len(rules) > 1:
            raise refusal(f"{' and '.join(rules)} cannot be combined", hint="use one of them")
        return self

    @property
    def one_target(self) -> str:
        return self.target

    @property
    def special_columns(self) -> set[str]:
        """The columns of targets, and those that decide the splits."""
        targets = (columns.named(name) for name, columns in self.targets.items())
        names = [self.target, *(name for columns in targets for name in columns.all_columns)]
        return set(filter(None, [*names, *(getattr(self, rule) for rule in RULES)]))

    def check_names(self, table: Table, more: Sequence[tuple[ConfigPath, str]] = ()) -> None:
        """Raise a FaultError for options, or `more` paths, that name columns the table lacks."""
        for path, name in [*self._named_columns(), *more]:
            if name not in table.columns:
                message = f"{self.path} has no column {show(name)}"
                raise config_fault(message, hint=nearest(name, list(table.columns)), path=path)
        taken: dict[str, str] = {}
        for head, columns in self.targets.items():
            for name in columns.named(head).all_columns:
                if name in taken:
                    message = f"column {show(name)} belongs to {taken[name]} already"
                    raise config_fault(message, hint="remove one", path=("targets", head))
                taken[name] = head

    def _named_columns(self) -> Iterator[tuple[ConfigPath, str]]:
        if self.target:
            yield ("target",), self.target
        for head, columns in self.targets.items():
            yield from ((("targets", head), name) for name in columns.named(head).all_columns)
        for rule in RULES:
            if name := getattr(self, rule):
                yield (rule,), name

    def with_task(self, table: Table) -> Self:
        """The same with its task filled in."""
        if self.targets:
            return self.model_copy(update={"normalize_targets": None})
        cells = replace(table.cells(self.target), cure="or write task: classification")
        task = task_of(cells) if self.task == "auto" else self.task
        if task == "regression":
            return self.model_copy(update={"task": task, "classes": []})
        return self.model_copy(update={"task": task, "normalize_targets": None})

    def learned(self, train: Table) -> Self:
        """The same with the names of classes and labels, from the rows of the training split."""
        if self.targets:
            found = dict[str, TargetColumns]()
            for name, columns in self.target_columns.items():
                with below("targets", name):
                    found[name] = columns.learned(train)
            return self.model_copy(update={"targets": found})
        [found_one] = [columns.learned(train) for columns in self.target_columns.values()]
        names = found_one.described(MAIN).class_names
        return self.model_copy(update={"classes": list(names)})

    def encoded_targets(self, table: Table) -> dict[str, Tensor]:
        """The targets of these rows, by name, the main one first."""
        return {name: columns.encode(table) for name, columns in self.target_columns.items()}

    def check_complete(self, table: Table) -> None:
        """Raise a FaultError where a row lacks a target."""
        for columns in self.target_columns.values():
            columns.check(table)

    def parts(self, table: Table) -> dict[StoredSplit, StoredPart]:
        """The rows of each stored split; validation is a part of train."""
        self.check_complete(table)
        strata = next(iter(self.target_columns.values())).strata(table)
        known = Known(
            self.given_in(table),
            classes=strata.classes,
            labels=strata.labels,
            groups=self.groups_in(table),
            times=self.times_in(table),
        )
        return parts_of(known, test=self.test_share, held_out=self.held_out)

    def validation_of(self, train: StoredPart, targets: Tensor, *, seed: int) -> Positions:
        """The positions among the rows for training that will be held out for validation."""
        kind = self.described_targets()[0].kind
        return self.validation_part(
            train.known.given,
            seed=seed,
            classes=targets.numpy() if kind == "class" else None,
            labels=targets.numpy() > 0 if kind == "labels" else None,
            groups=train.known.groups,
        )

    def counted(self, parts: Mapping[StoredSplit, StoredPart], held: Positions) -> SampleCounts:
        """The number of samples in each split."""
        train, test = len(parts["train"].rows), len(parts["test"].rows)
        return SampleCounts(train=train - len(held), validation=len(held), test=test)

    def groups_in(self, table: Table) -> Sequence[str] | None:
        """The group of each row; None where there are none."""
        return table.cells(self.group).values if self.group else None

    def given_in(self, table: Table) -> list[GivenSplit | None]:
        """The split that the table puts each row in, if it does.

        Raises:
            FaultError: a cell names no split.
        """
        if not self.split:
            return [None] * len(table)
        cells = table.cells(self.split)
        unknown = [at for at, cell in enumerate(cells.values) if cell.lower() not in SPLIT_WORDS]
        if unknown:
            raise cells.faults(
                unknown,
                lambda cell: f"{show(cell)} is not a split",
                lambda cell: nearest(cell, [*SPLIT_WORDS]),
            )
        return [SPLIT_WORDS[cell.lower()] for cell in cells.values]

    def times_in(self, table: Table) -> list[float] | None:
        """The time of each row; None where times do not matter.

        Raises:
            FaultError: one is missing, or neither a number nor a date.
        """
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
