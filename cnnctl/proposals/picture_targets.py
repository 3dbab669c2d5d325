"""Which columns of a table of pictures are to be predicted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cnnctl.config.wording import show
from cnnctl.data.tables.cell_targets import SIGNS, bits_of
from cnnctl.data.tables.columns import Ignored
from cnnctl.data.tables.inference import kind_of
from cnnctl.data.tables.reading import Table
from cnnctl.data.tables.targets import LabelColumns, TargetColumns
from cnnctl.errors import FaultError, data_fault
from cnnctl.proposals.special_columns import words_of
from cnnctl.proposals.targets import (
    kinds_of,
    likely_target,
    named_targets,
    options_of,
    separator_of,
    usual_target,
)

TELLING = {"target", "label", "class", "category", "species", "diagnosis", "breed", "tag"}
"""Words in the names of columns that say what a picture shows."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be predicted, and why."""

    kinds: Mapping[str, TargetColumns]
    """The targets, by the names of their heads where there are several."""
    reason: str

    @property
    def options(self) -> dict[str, Any]:
        """The options of the dataset."""
        return options_of(self.kinds)

    def in_table(self, table: Table) -> Choice:
        """The same with what the rows of this table show: rare classes and labels."""
        if len(self.kinds) == 1:
            return self
        return Choice(kinds_of(table, self.columns), self.reason)

    @property
    def columns(self) -> list[str]:
        """The columns to predict."""
        return [name for kind in self.kinds.values() for name in kind.all_columns]


def chosen(table: Table, target: str, *, taken: Collection[str]) -> Choice:
    """The columns that `--target` names, with a head each.

    taken: columns that cannot be targets, as they decide the splits or name the pictures.

    Raises:
        FaultError: the table has no such column, or it is taken; or a row lacks a target.
    """
    named = named_targets(table, target, taken=taken)
    return _choice(table, named, "named on the command line")


def likely(table: Table, *, taken: Collection[str]) -> Choice:
    """The columns that are probably to be predicted.

    A usual name comes first, then several columns of 0 and 1, then a name with a telling word.

    Raises:
        FaultError: no column could be.
    """
    names = possible_targets(table, taken=taken)
    if not names:
        message = "has no column to predict besides the names of the pictures"
        raise data_fault(
            message,
            hint="add one with the class of each picture",
            place=table.place,
        )
    if len(names) == 1:
        is_only = len(table.columns) == len(taken) + 1
        varies = "" if is_only else " of classes, labels or values"
        return _choice(table, names, f"the only other column{varies}")
    if usual_target(names):
        return _likely(table, names)
    bits = [name for name in names if _are_bits(table.columns[name])]
    others = [name for name in names if name not in bits]
    telling = next((name for name in others if words_of(name) & TELLING), None)
    if telling:
        return _choice(table, [telling], "by its name; choose another with --target")
    if len(bits) > 1:
        no = "-1" if any(bits_of(table.columns[name]) is SIGNS for name in bits) else "0"
        reason = f"{len(bits):,} columns of {no} and 1; choose another with --target"
        return Choice({"labels": LabelColumns(columns=bits)}, reason)
    return _likely(table, names)


def possible_targets(table: Table, *, taken: Collection[str]) -> Sequence[str]:
    """The columns, other than these, that are neither constant, nor identifiers, nor prose."""
    return [name for name in table.columns if name not in taken and _tells(table, name)]


def _tells(table: Table, name: str) -> bool:
    cells = table.cells(name)
    if separator_of(cells.values):
        return True
    with suppress(FaultError):  # reported if this is the target
        return not isinstance(kind_of(cells), Ignored)
    return True


def _are_bits(cells: Sequence[str]) -> bool:
    found = {cell.lower() for cell in cells}
    return found <= bits_of(found).keys()


def _likely(table: Table, names: Sequence[str]) -> Choice:
    name, reason = likely_target(names)
    return _choice(table, [name], reason)


def _choice(table: Table, names: Sequence[str], reason: str) -> Choice:
    kinds = kinds_of(table, names)
    separators = [kind.separator for kind in kinds.values() if isinstance(kind, LabelColumns)]
    for separator in dict.fromkeys(separators):
        reason = f"{reason}; {_SPOKEN.get(separator, show(separator))} separates labels"
    return Choice(kinds, reason)


_SPOKEN = {" ": "a space", ",": "a comma"}
