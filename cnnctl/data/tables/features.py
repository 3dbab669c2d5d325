"""The features of a table's rows, of all its columns."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cnnctl.data.tables.columns import Column, Ignored
from cnnctl.data.tables.reading import Table
from cnnctl.errors import Fault, config_fault, data_faults, gathered


def width_of(columns: Mapping[str, Column]) -> int:
    """The number of features of all columns.

    Raises:
        FaultError: there are none.
    """
    width = sum(column.width for column in columns.values())
    if not width:
        reasons = (
            f": {name} is {column.reason}"
            for name, column in columns.items()
            if isinstance(column, Ignored) and column.reason
        )
        message = f"no column to learn from{next(reasons, '')}"
        hint = "set the kind of an ignored column, such as columns: {x: number}"
        raise config_fault(message, hint=hint, path=("columns",))
    return width


def encode(columns: Mapping[str, Column], table: Table) -> Tensor:
    """The features of all rows, (N, F) float32, in the order of `columns`.

    Raises:
        FaultError: a column is missing, or a cell is not of its kind.
    """
    used = {name: column for name, column in columns.items() if column.width}
    features = torch.empty(len(table), width_of(columns))
    faults = list[Fault]()
    start = 0
    for name, column in used.items():
        with gathered(faults):
            encoded = torch.from_numpy(column.encode(table.cells(name)))
            features[:, start : start + column.width] = encoded
        start += column.width
    if faults:
        raise data_faults(faults)
    return features
