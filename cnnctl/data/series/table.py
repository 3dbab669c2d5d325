"""The series of a long table: which rows they consist of, and what holds for each as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.config.wording import show
from cnnctl.data.normalization import Normalize
from cnnctl.data.records import GivenSplit, split_words
from cnnctl.data.sample_source import SampleSource
from cnnctl.data.splits import Positions
from cnnctl.data.tables.cell_targets import CellTargets
from cnnctl.data.tables.cells import DATE, NUMBER, Cells, Numbers, days_of, is_missing, number_of
from cnnctl.data.tables.reading import Table
from cnnctl.errors import nearest

SHORTEST = 2
"""Moments of a series."""
MOST_TIMES = 2
"""How many times as long as the middle series a signal is, at most."""
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns of a long table that have a meaning of their own."""

    series: str
    targets: Mapping[str, str]
    """The columns to predict, by the names used to request them."""
    time: str | None = None
    group: str | None = None
    split: str | None = None
    recorded: str | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """The series of a table, in the order in which they begin."""

    table: Table
    names: Sequence[str]
    order: Positions
    """All rows of the table, those of each series together and in their order."""
    starts: Positions
    """Where each series starts in `order`, and the number of all rows at the end."""

    @classmethod
    def of(cls, table: Table, *, series: str, time: str | None) -> Series:
        """The series that a column tells apart.

        Raises:
            FaultError: there is no such column; or a series has only one row, or its times do not
                increase.
        """
        cells = table.cells(series)
        numbers: dict[str, int] = {}
        own = np.array([numbers.setdefault(cell, len(numbers)) for cell in cells.values])
        order, counts = np.argsort(own, kind="stable"), np.bincount(own)
        starts = np.concatenate([[0], np.cumsum(counts)])
        found = cls(table, list(numbers), order, starts)
        found._check_names(cells)
        if time is not None:
            found._check_times(replace(table.cells(time), cure=""))
        return found

    def __len__(self) -> int:
        return len(self.names)

    @property
    def lengths(self) -> Positions:
        """The number of time steps of each series."""
        return np.diff(self.starts)

    @property
    def owners(self) -> Positions:
        """The series of each row in `order`."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def constant(self, column: str) -> Cells:
        """What a column says of each series, at its first row.

        Raises:
            FaultError: it says something else at a later row.
        """
        cells = self.table.cells(column)
        numbers: dict[str, int] = {}
        codes = np.array([numbers.setdefault(cell, len(numbers)) for cell in cells.values])
        codes, firsts = codes[self.order], self.order[self.starts[:-1]]
        differs = codes != codes[self.starts[self.owners]]
        if differs.any():
            at = int(differs.argmax())
            row, first = int(self.order[at]), int(firsts[self.owners[at]])
            own, before = show(cells.values[row]), show(cells.values[first])
            name = show(self.names[self.owners[at]])
            where = f"{cells.unit} {cells.lines[first]}"
            message = f"{own} differs from {before} in {where}, of series {name}"
            raise cells.fault(row, message, hint="give a series the same one in all of its rows")
        return cells.take(firsts)

    def times(self, column: str) -> list[float]:
        """The time of each series, at its first row.

        Raises:
            FaultError: it is missing, or no number or date.
        """
        cells = replace(self.table.cells(column), cure="").take(self.order[self.starts[:-1]])
        found: list[float] = _times(cells).tolist()
        return found

    def values(self, channels: Sequence[str]) -> NDArray[np.float32]:
        """The numbers in some columns, for all rows in the order of `order`, (rows, C).

        Raises:
            FaultError: one is missing, not a number, or too large for float32.
        """
        values = np.empty((len(self.order), len(channels)), np.float32)
        for number, name in enumerate(channels):
            cells = replace(self.table.cells(name), cure="or leave the column out of data.channels")
            numbers = cells.parsed(number_of, NUMBER)
            _check_numbers(cells, numbers)
            values[:, number] = numbers[self.order]
        return values

    def _check_names(self, cells: Cells) -> None:
        for at, cell in enumerate(cells.values):
            if not cell:
                raise cells.fault(at, "the series is missing", hint="fill it in, or remove the row")
        if (short := self.lengths < SHORTEST).any():
            at = int(self.order[self.starts[int(short.argmax())]])
            message = f"series {show(cells.values[at])} has only this row"
            hint = "remove it, or check data.series: the column has one name for each series"
            raise cells.fault(at, message, hint=hint)

    def _check_times(self, cells: Cells) -> None:
        times = _times(cells)[self.order]
        stands = np.diff(times) <= 0
        stands[self.starts[1:-1] - 1] = False  # between two series
        if stands.any():
            at = int(stands.argmax())
            row, before = int(self.order[at + 1]), int(self.order[at])
            is_same = times[at] == times[at + 1]
            which = "occurs twice in" if is_same else "goes back in"
            name = show(self.names[self.owners[at]])
            message = f"{show(cells.values[row])} {which} series {name}, after {cells.unit} "
            hint = "sort the rows by time, with one row for each time step"
            raise cells.fault(row, f"{message}{cells.lines[before]}", hint=hint)


@dataclass(frozen=True, slots=True)
class SeriesTable(SampleSource):
    """The series of a table as samples."""

    series: Series
    roles: Roles

    def __len__(self) -> int:
        return len(self.series)

    def targets(self, name: str) -> CellTargets:
        return CellTargets(self.series.constant(self.roles.targets[name]))

    def given(self) -> list[GivenSplit | None]:
        if self.roles.split is None:
            return [None] * len(self)
        cells, words = self.series.constant(self.roles.split), split_words(self.roles.split)
        for at, cell in enumerate(cells.values):
            if cell.lower() not in words:
                hint = nearest(cell, [*words])
                raise cells.fault(at, f"{show(cell)} is not a split", hint=hint)
        return [words[cell.lower()] for cell in cells.values]

    def groups(self) -> list[str] | None:
        if self.roles.group is None:
            return None
        return list(self.series.constant(self.roles.group).values)

    def times(self) -> list[float] | None:
        if self.roles.recorded is None:
            return None
        return self.series.times(self.roles.recorded)

    def identity(self, rows: Positions) -> str:
        return self.series.table.digest

    def length_for(self, rows: Positions) -> int:
        """The length for signals: the longest of these series, at most twice the median."""
        lengths = self.series.lengths[rows]
        return int(min(lengths.max(), MOST_TIMES * np.median(lengths)))

    def statistics(self, rows: Positions, channels: Sequence[str], *, length: int) -> Normalize:
        """Mean and standard deviation of the channels of these series, cut to this length."""
        moments = np.arange(len(self.series.order)) - self.series.starts[self.series.owners]
        is_used = np.isin(self.series.owners, rows) & (moments < length)
        values = self.series.values(channels)[is_used].astype(np.float64)
        std = np.where(values.min(axis=0) == values.max(axis=0), 0, values.std(axis=0))
        return Normalize(mean=values.mean(axis=0).tolist(), std=[each or 1.0 for each in std])

    def signals(
        self, rows: Positions, channels: Sequence[str], *, length: int, fill: Sequence[float]
    ) -> Tensor:
        """These series as signals, (N, C, length) float32, padded at the end or cut."""
        values, starts = self.series.values(channels), self.series.starts
        signals = np.empty((len(rows), len(channels), length), np.float32)
        signals[:] = np.array(fill, np.float32)[:, None]
        for signal, number in zip(signals, rows, strict=True):
            own = values[starts[number] : starts[number + 1]][:length]
            signal[:, : len(own)] = own.T
        return torch.from_numpy(signals)


def _times(cells: Cells) -> Numbers:
    for at, cell in enumerate(cells.values):
        if is_missing(cell):
            raise cells.fault(at, "the time is missing", hint="fill it in, or remove the row")
    is_number = number_of(cells.values[0]) is not None
    return cells.parsed(number_of, NUMBER) if is_number else cells.parsed(days_of, DATE)


def _check_numbers(cells: Cells, numbers: Numbers) -> None:
    wrong = ~(np.abs(numbers) <= LARGEST)
    if wrong.any():
        at = int(wrong.argmax())
        is_empty = np.isnan(numbers[at])
        message = "the value is missing" if is_empty else f"{cells.values[at]} is too large"
        hint = f"fill it in, {cells.cure}" if is_empty else "scale the column"
        raise cells.fault(at, message, hint=hint)
