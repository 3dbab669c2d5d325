"""Which columns of a table of pictures are to be predicted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cnnctl.config.wording import show
from cnnctl.data.tables.cell_targets import BITS
from cnnctl.data.tables.columns import Ignored
from cnnctl.data.tables.inference import kind_of
from cnnctl.data.tables.reading import Table
from cnnctl.data.tables.targets import LabelColumns
from cnnctl.errors import FaultError, data_fault
from cnnctl.proposals.special_columns import words_of
from cnnctl.proposals.targets import (
    kind_of_target,
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

    options: dict[str, Any]
    """The options of the data set."""
    reason: str


def chosen(table: Table, target: str, *, taken: Collection[str]) -> Choice:
    """The column that `--target` names.

    taken: columns that cannot be targets, as they decide the splits or name the pictures.

    Raises:
        FaultError: the table has no such column, or it is taken; or several are named.
    """
    named = named_targets(table, target, taken=taken)
    if len(named) > 1:
        message = f"{len(named)} targets, but init proposes for one target of pictures"
        hint = "name one; data.targets and model.heads take more"
        raise data_fault(message, hint=hint, place=table.place)
    return _choice(table, named[0], "named on the command line")


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
            hint="add one with the class of each picture picture picture picture picture",
            place=table.place,
        )
    if len(names) == 1:
        is_only = len(table.columns) == len(taken) + 1
        varies = "" if is_only else " of classes, labels or values"
        return _choice(table, names[0], f"the only other column{varies}")
    if usual_target(names):
        return _choice(table, *likely_target(names))
    bits = [name for name in names if {cell.lower() for cell in table.columns[name]} <= {*BITS}]
    others = [name for name in names if name not in bits]
    telling = next((name for name in others if words_of(name) & TELLING), None)
    if telling:
        return _choice(table, telling, "by its name; choose another with --target")
    if len(bits) > 1:
        options = options_of({"labels": LabelColumns(columns=bits)})
        return Choice(options, f"{len(bits):,} columns of 0 and 1; choose another with --target")
    return _choice(table, *likely_target(names))


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


def _choice(table: Table, name: str, reason: str) -> Choice:
    kind = kind_of_target(table, name)
    if isinstance(kind, LabelColumns):
        reason = f"{reason}; {_SPOKEN.get(kind.separator, show(kind.separator))} separates labels"
    return Choice(options_of({name: kind}), reason)


_SPOKEN = {" ": "a space", ",": "a comma"}
