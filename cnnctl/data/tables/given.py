"""Rows and data frames in memory -> a table, with the cells of the same rows as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, cast

import numpy as np

from cnnctl.config.wording import show
from cnnctl.data.tables.reading import MAX_CELL, MAX_COLUMNS, Table
from cnnctl.data.texts import line_fault
from cnnctl.errors import data_fault

MISSING = ("NoneType", "NAType", "NaTType")
"""The types of what stands for no value in Python and pandas."""


def is_frame(given: object) -> bool:
    """Whether this is a data frame, of pandas or polars."""
    return all(hasattr(given, name) for name in ("columns", "dtypes", "__getitem__"))


def table_of_frame(frame: object, *, place: str) -> Table:
    """The rows of a data frame; `place` is what messages call it.

    Raises:
        FaultError: it has no rows, several columns of one name, or cells that are no values.
    """
    own = cast("Any", frame)
    columns = {name: own[name].to_list() for name in _unique(list(own.columns), place)}
    return _table({str(name).strip(): column for name, column in columns.items()}, place)


def table_of_rows(
    rows: Sequence[Mapping[Any, object]], needed: Collection[str], *, place: str
) -> Table:
    """Rows, each a mapping from columns to cells, with the columns that all of them have.

    needed: columns that none may lack, where some rows have them.

    Raises:
        FaultError: a row lacks one, or there are none; or cells that are no values.
    """
    named = [{str(name).strip(): cell for name, cell in row.items()} for row in rows]
    names = {name for row in named for name in row}
    for number, row in enumerate(named, start=1):
        if lacking := [name for name in needed if name in names and name not in row]:
            message = f"has no column {show(lacking[0])}, as other rows do"
            raise line_fault(place, number, message, hint="add it", unit="row")
    common = [name for name in named[0] if all(name in row for row in named)] if named else []
    return _table({name: [row[name] for row in named] for name in common}, place)


def _unique(names: Sequence[object], place: str) -> Sequence[object]:
    texts = Counter(str(name).strip() for name in names)
    for name, count in texts.most_common(1):
        if count > 1:
            message = f"{count} columns are named {show(name)}"
            raise data_fault(message, hint="name each differently", place=place)
    return names


def _table(columns: Mapping[str, Sequence[object]], place: str) -> Table:
    if len(columns) > MAX_COLUMNS:
        message = f"has {len(columns):,} columns, more than the limit of {MAX_COLUMNS:,}"
        raise data_fault(message, hint="leave out some", place=place)
    rows = max(map(len, columns.values()), default=0)
    if not rows:
        raise data_fault("has no cells", hint="give a cell for each column", place=place)
    texts = {
        name: [_text(cell, name, number, place) for number, cell in enumerate(column, start=1)]
        for name, column in columns.items()
    }
    return Table(place, texts, range(1, rows + 1), digest="", unit="row")


def _text(cell: object, name: str, row: int, place: str) -> str:
    """A cell as the text of the same value in a file; numbers in the shortest exact form."""
    if isinstance(cell, np.generic) and not isinstance(cell, np.datetime64):
        cell = cell.item()
    if type(cell).__name__ in MISSING:
        return ""
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    if not isinstance(cell, str | int | float | np.datetime64) and not hasattr(cell, "as_tuple"):
        message = f"column {show(name)}: {type(cell).__name__} is no value of a cell"
        raise line_fault(place, row, message, hint="give a text or a number", unit="row")
    text = str(cell).strip()
    if len(text) > MAX_CELL:
        message = f"a cell of {len(text):,} characters; the limit is {MAX_CELL:,}"
        raise line_fault(place, row, message, hint="shorten it", unit="row")
    return text
