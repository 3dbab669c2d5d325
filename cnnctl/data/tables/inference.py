"""Which kind a column is, where the experiment does not say, and what its target is."""

from __future__ import annotations

from cnnctl.config.wording import show
from cnnctl.data.sample_targets import Task
from cnnctl.data.tables.cells import (
    DATE,
    NUMBER,
    Cells,
    Parse,
    days_of,
    is_index,
    is_missing,
    is_separated,
    number_of,
)
from cnnctl.data.tables.columns import MAX_VALUES, Category, Column, Date, Ignored, Number

MOST = 0.9
"""The share of numbers from which on the other cells of a column are taken for mistakes."""
LONG = 100
"""Rows from which on a column that begins as numbers, for half of it, is one of numbers."""
FEW = 20
"""Rows up to which cells that all differ do not make an identifier."""
DISTINCT = 0.9
"""The share of different texts from which on they are taken for names or prose."""


def kind_of(cells: Cells) -> Column:
    """The kind of a column of features, from all its cells.

    Raises:
        FaultError: nearly all cells are numbers, or dates; the first other one is named.
    """
    distinct = len(set(cells.values))
    if distinct == 1:
        return Ignored(reason="constant")
    if is_index(cells.name) and distinct == len(cells):
        return Ignored(reason="an index")
    if _consists_of(cells, number_of, NUMBER):
        return Ignored(reason="a row number") if _counts_rows(cells) else Number()
    if _consists_of(cells, days_of, DATE):
        return Date()
    if len(cells) > FEW and distinct > DISTINCT * len(cells):
        return Ignored(reason="an identifier" if distinct == len(cells) else "text")
    return Category()


def task_of(cells: Cells) -> Task:
    """Whether a target has classes or values, by AutoGluon's rule: few integers are classes.

    Raises:
        FaultError: as for `kind_of`.
    """
    if not _consists_of(cells, number_of, NUMBER):
        return "classification"
    distinct = len(set(cells.values))
    are_whole = all(float(cell).is_integer() for cell in cells.values if not is_missing(cell))
    few = len(cells) * (0.05 if len(cells) > 1000 else 0.1)
    return "classification" if distinct == 2 or (are_whole and distinct <= few) else "regression"


def class_names(cells: Cells) -> list[str]:
    """The classes in these cells, in the order of their numbers or names.

    Raises:
        FaultError: there is only one, or too many.
    """
    names = set(cells.values)
    if len(names) < 2:
        message = f"the target has only one value, {show(cells.values[0])}"
        raise cells.fault(0, message, hint="choose another target")
    if len(names) > MAX_VALUES:
        message = f"{len(names):,} classes, more than the limit of {MAX_VALUES:,}"
        raise cells.fault(0, message, hint="choose another target, or write task: regression")
    if all(number_of(name) is not None for name in names):
        return sorted(names, key=lambda name: (float(name), name))
    return sorted(names)


def check_complete(cells: Cells, task: str) -> None:
    """Raise a FaultError where a target is missing; a class may have the name NA."""
    missing = [
        at
        for at, cell in enumerate(cells.values)
        if not cell or (task == "regression" and is_missing(cell))
    ]
    if missing:
        hint = "fill it in, or remove the row"
        raise cells.faults(missing, lambda _: "the target is missing", lambda _: hint)


def _consists_of(cells: Cells, parse: Parse, wanted: str) -> bool:
    """Whether all cells that are not missing are of this form, and there are some.

    Raises:
        FaultError: most are; the first other one is named.
    """
    known = [at for at, cell in enumerate(cells.values) if not is_missing(cell)]
    odd = [at for at in known if parse(cells.values[at]) is None]
    if not odd:
        return bool(known)
    separated = [at for at in odd if wanted == NUMBER and is_separated(cells.values[at])]
    is_mostly = len(odd) - len(separated) <= (1 - MOST) * len(known)
    begins = known.index(odd[0])
    if is_mostly or (begins >= LONG and begins >= len(known) / 2):
        raise cells.odd(odd, wanted)
    return False


def _counts_rows(cells: Cells) -> bool:
    """Whether the cells are the numbers of rows, from 0 or 1 and in any order."""
    count = len(cells)
    if count <= FEW or len(set(cells.values)) < count:
        return False
    numbers = {number_of(cell) for cell in cells.values}
    return numbers in (set(range(count)), set(range(1, count + 1)))
