"""What is found in a table: its columns, its target and the rows that are equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnctl.data.sources.table import TableSet
from cnnctl.data.tables.cells import is_missing
from cnnctl.data.tables.columns import Column, Ignored
from cnnctl.data.tables.reading import Table, read_table
from cnnctl.errors import data_fault, nearest
from cnnctl.proposals.settings import imbalance_of

TARGETS = ("target", "label", "class", "y", "outcome", "species", "category", "price", "quality")
"""Usual names of the column to predict, the most telling first."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table, and how an experiment sees it."""

    source: Path
    table: Table
    target: str
    why_target: str
    data: TableSet
    """Surveyed: task, classes, columns and the size of the splits."""

    @property
    def columns(self) -> Mapping[str, Column]:
        """The kinds of all columns that are features, or are ignored."""
        return self.data.columns

    @property
    def ignored(self) -> dict[str, str]:
        """Why columns are ignored, by name."""
        kinds = self.columns.items()
        return {name: kind.reason for name, kind in kinds if isinstance(kind, Ignored)}

    @property
    def counts(self) -> Counter[str]:
        """Rows of each class; empty for values."""
        return Counter(self.table.columns[self.target] if self.data.classes else ())

    @property
    def imbalance(self) -> float:
        """How many times larger the largest class is than the smallest."""
        return imbalance_of(self.counts)

    @property
    def missing(self) -> dict[str, int]:
        """Cells without a value, by the names of the columns that have some."""
        found = {name: sum(map(is_missing, self.table.columns[name])) for name in self.columns}
        return {name: count for name, count in found.items() if count}

    @property
    def repeated(self) -> int:
        """Rows that are equal to an earlier one."""
        rows = Counter(zip(*self.table.columns.values(), strict=True))
        return rows.total() - len(rows)


def gather(source: Path, *, target: str | None) -> TableFacts:
    """Look at a table, whose target is the column of this name or one that seems to be meant.

    Raises:
        FaultError: it cannot be read, has no such column, or teaches nothing.
    """
    table = read_table(source)
    names = list(table.columns)
    if target is not None and target not in names:
        message = f"has no column {target}"
        raise data_fault(message, hint=nearest(target, names), place=str(source))
    chosen, why = (target, "named on the command line") if target else likely_target(names)
    data = TableSet(path=str(source), target=chosen).surveyed(Path(), seed=0)
    return TableFacts(source, table, chosen, why, data)


def likely_target(names: Sequence[str]) -> tuple[str, str]:
    """The column that is probably to be predicted, and why."""
    lower = {name.lower(): name for name in reversed(names)}
    for usual in TARGETS:
        if usual in lower:
            return lower[usual], "by its name; choose another with --target"
    return names[-1], "the last column; choose another with --target"
