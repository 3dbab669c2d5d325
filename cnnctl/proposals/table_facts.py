"""What is found in a table: its columns, its target and the rows that are equal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cnnctl.config.wording import show
from cnnctl.data.pictures.decoding import is_picture
from cnnctl.data.sources.table import TableSet
from cnnctl.data.tables.cells import is_index, is_missing
from cnnctl.data.tables.columns import Column, Ignored
from cnnctl.data.tables.reading import Table, read_table
from cnnctl.data.tables.targets import TargetColumns
from cnnctl.errors import FaultError, data_fault
from cnnctl.proposals.document import counted
from cnnctl.proposals.heads import counted_in
from cnnctl.proposals.settings import imbalance_of
from cnnctl.proposals.special_columns import group_column, split_columns
from cnnctl.proposals.targets import (
    kinds_of,
    likely_target,
    named_targets,
    options_of,
    possible_names,
)
from cnnctl.proposals.vector_learning import FEW

FEWEST_ROWS = 4
"""The fewest rows of which one is left for testing."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table, and how an experiment sees it."""

    source: Path
    table: Table
    why_target: str
    kinds: Mapping[str, TargetColumns]
    """The targets, before anything is learned."""
    data: TableSet
    """Surveyed: tasks, classes, columns and the size of the splits."""

    @property
    def targets(self) -> list[str]:
        """The columns to predict."""
        return [name for kind in self.kinds.values() for name in kind.all_columns]

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
        """Rows of each class; empty unless there is one target, of classes."""
        [kind, *others] = self.kinds.values()
        is_class = kind.task == "classification" and not others
        return counted_in(kind, self.table) if is_class else Counter()

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
        rows = self._contents
        return len(rows) - len(set(rows))

    @property
    def torn(self) -> int:
        """Rows that are equal to one in another split, where the table has splits."""
        if not self.data.split:
            return 0
        splits: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for row, split in zip(self._contents, self.table.columns[self.data.split], strict=True):
            splits[row].add(split)
        return sum(len(splits[row]) > 1 for row in self._contents)

    @property
    def _contents(self) -> list[tuple[str, ...]]:
        """The cells of each row, apart from its index and the split that it is in."""
        columns = self.table.columns.items()
        left_out = (self.data.split, *filter(is_index, self.ignored))
        return list(zip(*(cells for name, cells in columns if name not in left_out), strict=True))


def gather(source: Path, *, target: str | None) -> TableFacts:
    """Look at a table; the column to predict is guessed if there is no `target`.

    Raises:
        FaultError: it cannot be read, has no such column, or has nothing to learn from.
    """
    table = read_table(source)
    if len(table) < FEWEST_ROWS:
        message = f"has {counted(len(table), 'row')}, too few for training and testing"
        raise data_fault(message, hint=f"give at least {FEWEST_ROWS}", place=str(source))
    splits = split_columns(table, beside=possible_names(target))
    group = None if splits else group_column(table, beside=[])
    taken = [*splits, *([group] if group else [])]
    if target:
        names, why = named_targets(table, target, taken=taken), "named on the command line"
    else:
        name, why = likely_target([name for name in table.columns if name not in taken])
        names = [name]
    kinds = kinds_of(table, names)
    options = options_of(kinds) | ({"validation": 0.0} if len(table) < FEW else {})
    split = next(iter(splits), None)
    reason = f"tells splits, as {split} does"
    columns: dict[str, Column] = {name: Ignored(reason=reason) for name in splits[1:]}
    data = TableSet(path=str(source), split=split, group=group, columns=columns, **options)
    facts = TableFacts(source, table, why, kinds, data.surveyed(Path(), seed=0))
    if len(facts.ignored) == len(facts.columns):
        raise _teaches_nothing(facts)
    return facts


def _teaches_nothing(facts: TableFacts) -> FaultError:
    """The fault of a table without features, which may name pictures that are elsewhere."""
    message = "has no column to learn from besides its targets"
    hint = "; ".join(f"{name} is {reason}" for name, reason in facts.ignored.items())
    cells = ((name, facts.table.columns[name][0]) for name in facts.ignored)
    for name, cell in cells:
        if is_picture(cell):
            message = f"column {show(name)} names pictures that do not exist"
            hint = f"put {show(cell)} next to the table, or give the folder that holds both"
    return data_fault(message, hint=hint or "add columns of features", place=str(facts.source))
