"""The columns of a table as inputs of a graph: a module that encodes them as the dataset does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import pi
from typing import Literal

import torch
from torch import Tensor, nn

from cnnctl.data.tables.columns import Category, Column, Date, Measured, Number

ERA_DAYS = 146_097
"""Days after which the Gregorian calendar repeats, 400 years."""
MARCH_0000 = -719_468
"""1 March of the year 0, in days since 1970."""
CellKind = Literal["number", "date", "category"]


@dataclass(frozen=True, slots=True)
class ColumnInput:
    """A column that is an input of its own."""

    name: str
    kind: CellKind
    """Numbers are given as they are, dates as days since 1970 in UTC; both are float64, and NaN
    where they are missing. Categories are given as texts, in the graph as positions (int64)."""
    values: tuple[str, ...] = ()
    """The categories; any other text has the position after the last."""


def column_inputs(columns: Mapping[str, Column]) -> tuple[ColumnInput, ...]:
    """The inputs that columns are, in their order, without those that are ignored."""
    used = {name: column for name, column in columns.items() if column.width}
    return tuple(_input(name, column) for name, column in used.items() if _is_known(column))


def unknown_columns(columns: Mapping[str, Column]) -> dict[str, str]:
    """The columns that cannot be encoded in a graph, such as those of plugins, with their kinds."""
    used = {name: column for name, column in columns.items() if column.width}
    return {name: column.kind for name, column in used.items() if not _is_known(column)}


def column_facts(columns: Mapping[str, Column]) -> str:
    """The inputs as JSON, for the metadata of a graph."""
    found = [
        {"name": each.name, "kind": each.kind}
        | ({"values": each.values} if each.kind == "category" else {})
        for each in column_inputs(columns)
    ]
    return json.dumps({"is": "columns", "columns": found}, ensure_ascii=False)


def _is_known(column: Column) -> bool:
    return type(column) in (Number, Date, Category)


def _input(name: str, column: Column) -> ColumnInput:
    if isinstance(column, Category):
        return ColumnInput(name, "category", tuple(column.values))
    return ColumnInput(name, "date" if isinstance(column, Date) else "number")


class ColumnFeatures(nn.Module):
    """Encodes columns; K tensors (N,) in, as `ColumnInput` has them, (N, F) float32 out.

    All numbers are computed with at once, since a table may have a thousand columns.
    """

    mean: Tensor
    std: Tensor
    order: Tensor

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__()
        measured = [column for column in columns if isinstance(column, Measured)]
        self.measured = [isinstance(column, Measured) for column in columns]
        self.dates = [at for at, column in enumerate(measured) if isinstance(column, Date)]
        self.marked = [at for at, column in enumerate(measured) if column.missing]
        self.widths = [column.width for column in columns if isinstance(column, Category)]
        means = [column.mean or 0.0 for column in measured]
        stds = [column.std or 1.0 for column in measured]
        self.register_buffer("mean", torch.tensor(means, dtype=torch.float64))
        self.register_buffer("std", torch.tensor(stds, dtype=torch.float64))
        self.register_buffer("order", torch.tensor(self._order(columns)))

    def _order(self, columns: Sequence[Column]) -> list[int]:
        """Where each feature is among the parts that `forward` joins, in the order of columns."""
        measured = [column for column in columns if isinstance(column, Measured)]
        marked = len(measured)
        circles = marked + len(self.marked)
        hot = circles + 4 * len(self.dates)
        standard, order = 0, list[int]()
        for column in columns:
            if isinstance(column, Measured):
                order.append(standard)
                standard += 1
                if isinstance(column, Date):
                    order += range(circles, circles + 4)
                    circles += 4
                if column.missing:
                    order.append(marked)
                    marked += 1
            else:
                order += range(hot, hot + column.width)
                hot += column.width
        return order

    def forward(self, *columns: Tensor) -> Tensor:
        """Encode them; see `cnnctl.data.tables.columns`."""
        given = list(zip(columns, self.measured, strict=True))
        numbers = [column for column, is_measured in given if is_measured]
        positions = [column for column, is_measured in given if not is_measured]
        parts = [*self._measured(torch.stack(numbers, dim=1))] if numbers else []
        parts += [
            (position[:, None] == torch.arange(width)).float()
            for position, width in zip(positions, self.widths, strict=True)
        ]
        return torch.cat(parts, dim=1).index_select(1, self.order)

    def _measured(self, numbers: Tensor) -> list[Tensor]:
        """The features of numbers and dates (N, K) float64: themselves, missing ones, circles."""
        is_known = numbers.abs() < float("inf")
        known = torch.where(is_known, numbers, self.mean)
        parts = [((known - self.mean) / self.std).float()]
        if self.marked:
            parts.append((~is_known[:, self.marked]).float())
        if self.dates:
            days = known[:, self.dates].floor().long()
            parts.append(_circles(days, is_known[:, self.dates]))
        return parts


def _circles(days: Tensor, is_known: Tensor) -> Tensor:
    """Sine and cosine of month and weekday; (N, K) days since 1970 in, (N, 4 K) float32 out."""
    months = month_of(days) / 12
    weekdays = ((days + 3) % 7) / 7  # 1970 began on a Thursday
    angles = torch.stack([months, weekdays], dim=2) * (2 * pi)
    circles = torch.stack([angles.sin(), angles.cos()], dim=3).flatten(2)
    return (circles * is_known[:, :, None]).flatten(1)


def month_of(days: Tensor) -> Tensor:
    """The month, January as 0, of days since 1970; years from 1 on.

    Howard Hinnant, chrono-Compatible Low-Level Date Algorithms: civil_from_days.
    """
    since = days - MARCH_0000
    day = since % ERA_DAYS
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day_of_year = day - (365 * year + year // 4 - year // 100)
    from_march = (5 * day_of_year + 2) // 153
    return (from_march + 2) % 12
