"""The base of datasets whose targets and splits are in columns of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, Self

from pydantic import model_validator

from cnnctl.config.choice import refusal
from cnnctl.config.wording import show
from cnnctl.data.dataset import StoredSplit
from cnnctl.data.parts import StoredPart
from cnnctl.data.records import GivenSplit, split_words
from cnnctl.data.sample_targets import Task
from cnnctl.data.tables.cells import DATE, NUMBER, days_of, is_missing, number_of
from cnnctl.data.tables.reading import Table
from cnnctl.data.tables.targets import ColumnName
from cnnctl.data.targeting import Targeting
from cnnctl.errors import ConfigPath, config_fault, nearest

RULES = ("group", "time", "split")
"""Options that name a column which decides the splits."""


class TargetedSet(Targeting):
    """A dataset whose targets and splits are in columns of a table."""

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
    """A column that puts each sample in `train`, `validation` (or `val`) or `test`; or one of 0 and
    1 with the name `is_train` (0 is `test`), `is_valid` or `is_test` (0 is `train`)."""

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
        self.check_apart()

    def _named_columns(self) -> Iterator[tuple[ConfigPath, str]]:
        if self.target:
            yield ("target",), self.target
        for head, columns in self.targets.items():
            yield from ((("targets", head), name) for name in columns.named(head).all_columns)
        for rule in RULES:
            if name := getattr(self, rule):
                yield (rule,), name

    def parts(self, table: Table) -> dict[StoredSplit, StoredPart]:
        """The rows of each stored split; validation is a part of train."""
        given, groups, times = self.given_in(table), self.groups_in(table), self.times_in(table)
        return self.cut(table, given, groups=groups, times=times)

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
        cells, words = table.cells(self.split), split_words(self.split)
        unknown = [at for at, cell in enumerate(cells.values) if cell.lower() not in words]
        if unknown:
            raise cells.faults(
                unknown,
                lambda cell: f"{show(cell)} is not a split",
                lambda cell: nearest(cell, [*words]),
            )
        return [words[cell.lower()] for cell in cells.values]

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
