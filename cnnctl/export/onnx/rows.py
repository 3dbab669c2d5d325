"""Rows of a table to check a graph with: as cells, and as the tensors that its inputs are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor

from cnnctl.data.sources.table import TableSet
from cnnctl.data.tables.cells import EPOCH, Cells
from cnnctl.data.tables.columns import Category, Column, Date, Measured
from cnnctl.data.tables.reading import Table, read_table
from cnnctl.errors import FaultError

MISSING_SHARE = 0.2
UNKNOWN = "a value that no row has"


def real_rows(data: TableSet, count: int, *, place: Path | None) -> Table | None:
    """Rows from all of the table, or the one in its place; None if it cannot be read."""
    data = data.located(place)
    try:
        table = read_table(Path(data.path))
    except FaultError:
        return None
    rows = np.linspace(0, len(table) - 1, min(count, len(table))).round().astype(np.int64)
    return table.take(rows)


def random_rows(columns: Mapping[str, Column], count: int, *, seed: int) -> Table:
    """Rows of random cells, some of them missing or of unknown categories."""
    chance = Random(seed)
    cells = {
        name: [_random_cell(column, chance) for _ in range(count)]
        for name, column in columns.items()
        if column.width
    }
    return Table("random rows", cells, range(1, count + 1), digest="")


def _random_cell(column: Column, chance: Random) -> str:
    if chance.random() < MISSING_SHARE:
        return ""
    if isinstance(column, Category):
        return chance.choice([*column.values, UNKNOWN])
    assert isinstance(column, Measured)  # there are no others in a graph
    number = chance.gauss(column.mean or 0.0, column.std or 1.0)
    return _day(number) if isinstance(column, Date) else repr(number)


def _day(days: float) -> str:
    """A date near these days since 1970; that of 1970 if the calendar ends before."""
    try:
        return (EPOCH + timedelta(days=days)).isoformat()
    except OverflowError:
        return EPOCH.isoformat()


def tensors_of(columns: Mapping[str, Column], table: Table) -> list[Tensor]:
    """The columns of rows as tensors: numbers (N,) float64, texts (N, length) bytes of UTF-8."""
    used = {name: column for name, column in columns.items() if column.width}
    return [_tensor(column, table.cells(name)) for name, column in used.items()]


def _tensor(column: Column, cells: Cells) -> Tensor:
    if isinstance(column, Measured):
        return torch.from_numpy(column.numbers(cells))
    texts = [cell.encode() for cell in cells.values]
    length = max(1, *map(len, texts))
    rows = [list(text.ljust(length, b"\0")) for text in texts]  # no cell has a NUL character
    return torch.tensor(rows, dtype=torch.uint8)
