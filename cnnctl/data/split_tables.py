"""Splits that have a table each, such as train.csv, val.csv and test.csv."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Self

from pydantic import model_validator

from cnnctl.config.choice import Spec, refusal
from cnnctl.config.wording import show
from cnnctl.data.paths import DataPath
from cnnctl.data.records import GivenSplit
from cnnctl.data.tables.reading import Table, joined, read_table
from cnnctl.errors import data_fault


class SplitTables(Spec):
    """Tables of the other splits, with the columns of that in `path`, which is for training."""

    validation: DataPath | None = None
    """Table of the validation samples (default: a share of those for training)."""
    test: DataPath | None = None
    """Table of the test samples (default: there is no test split)."""

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if not self.validation and not self.test:
            raise refusal("no table is named", hint="name one: {test: test.csv}")
        return self

    def read_after(
        self, train: Table, *, needed: Collection[str]
    ) -> tuple[Table, list[GivenSplit]]:
        """The rows of all tables as one, those for training first, and the split of each.

        needed: columns that each must have.

        Raises:
            FaultError: a table cannot be read, or lacks such a column.
        """
        tables = [train]
        given: list[GivenSplit] = ["train"] * len(train)
        for split, path in self._others():
            table = read_table(path)
            for name in sorted({*needed} & train.columns.keys() - table.columns.keys()):
                hint = "a table without targets is for `cnnctl predict`, not for a split"
                raise data_fault(f"has no column {show(name)}", hint=hint, place=table.place)
            tables.append(table)
            given += [split] * len(table)
        return joined(tables), given

    def moved(self, train: Path, *, to: Path) -> Self | None:
        """The tables beside another table for training; None if it has another name."""
        if train.name != to.name:
            return None
        paths = {name: to.parent / _beside(train, path) for name, path in self._others()}
        return self.model_copy(update={name: str(path) for name, path in paths.items()})

    def _others(self) -> Iterator[tuple[GivenSplit, Path]]:
        paths: dict[GivenSplit, str | None] = {"validation": self.validation, "test": self.test}
        yield from ((split, Path(path)) for split, path in paths.items() if path)


def _beside(train: Path, path: Path) -> str:
    return os.path.relpath(path, train.parent)
