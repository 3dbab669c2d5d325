"""Proposes experiments for tables with a row for each time step of a series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from cnnctl.data.series.table import Series
from cnnctl.data.sources.signals import SignalSet
from cnnctl.data.tables.files import is_table
from cnnctl.data.tables.reading import Table, read_table
from cnnctl.data.tables.targets import TargetColumns
from cnnctl.errors import FaultError
from cnnctl.proposals.document import Setting, counted
from cnnctl.proposals.proposer import Proposal, Proposer, Wishes, refuse_pretrained
from cnnctl.proposals.sample_config import propose
from cnnctl.proposals.sample_facts import gather
from cnnctl.proposals.sample_report import render
from cnnctl.proposals.settings import path_setting
from cnnctl.proposals.targets import (
    kinds_of,
    likely_target,
    named_targets,
    written,
)

TIMES = ("time", "timestamp", "t", "datetime", "date", "step", "moment", "frame")
"""Names of columns that order the rows of a series, in any case."""
MOST_TRIED = 50
"""Columns that are tried for the one that tells series apart."""
FEWEST, SHORTEST = 10, 8
"""Series that a table has at least, and time steps that they have on average."""


@dataclass(frozen=True, slots=True)
class Found:
    """The columns that make a table one of series."""

    series: Series
    column: str
    """Tells the series apart."""
    time: str
    targets: Sequence[str]

    @property
    def first_rows(self) -> Table:
        """The first row of each series, which says what its targets are."""
        return self.series.table.take(self.series.order[self.series.starts[:-1]])


class LongTables(Proposer):
    """A table whose columns make plain that it is one of series."""

    takes = "a table with a row for each time step of a series"

    @staticmethod
    def suits(source: Path, wishes: Wishes) -> bool:
        if not is_table(source):
            return False
        with suppress(FaultError):  # reported by the proposer for other tables
            return found_in(read_table(source), target=wishes.target) is not None
        return False

    def propose(self, source: Path, wishes: Wishes) -> Proposal:
        refuse_pretrained(wishes)
        table = read_table(source)
        found = found_in(table, target=wishes.target)
        assert found is not None  # as it suits
        kinds = kinds_of(found.first_rows, found.targets) if len(found.targets) > 1 else {}
        given: dict[str, Any] = {"targets": kinds} if kinds else {"target": found.targets[0]}
        data = SignalSet(path=str(source), series=found.column, time=found.time, **given)
        facts = gather(source, data)
        assert isinstance(facts.data, SignalSet)
        channels = ", ".join(facts.data.channels)
        opening = [
            Setting("data.name", "signals"),
            path_setting(source, folder=wishes.folder),
            Setting("data.series", found.column, "identifies the series"),
            Setting("data.time", found.time, "increases within each series"),
            _target_setting(found, kinds),
            Setting("data.channels", facts.data.channels, "all other columns of numbers"),
            Setting("data.length", facts.shape[1], "at most twice the median length"),
        ]
        about = [
            *_about(source, found),
            f"channels: {channels}",
            f"target: {', '.join(found.targets)}",
        ]
        return Proposal(render(facts, about), propose(facts, opening))


def _target_setting(found: Found, kinds: Mapping[str, TargetColumns]) -> Setting:
    reason = "the same in all rows of a series"
    if not kinds:
        return Setting("data.target", found.targets[0], reason)
    plain = {name: written(name, kind) for name, kind in kinds.items()}
    return Setting("data.targets", plain, reason)


def found_in(table: Table, *, target: str | None = None) -> Found | None:
    """The columns of series, if the rows of each come one after another and have times.

    target: the columns to predict, with commas between them, which must be the same within each
        series; None for a usual name.
    """
    names = list(table.columns)
    chosen = _targets_in(table, target)
    if not chosen:
        return None
    times = [name for name in names if name.lower() in TIMES and name not in chosen]
    for column in names[:MOST_TRIED]:
        for time in times:
            if column not in (time, *chosen):
                with suppress(FaultError):
                    series = Series.of(table, series=column, time=time)
                    if _is_plain(series):
                        for each in chosen:
                            series.constant(each)
                        return Found(series, column, time, chosen)
    return None


def _targets_in(table: Table, target: str | None) -> list[str]:
    """The columns to predict; none where there are no such."""
    if target is None:
        return [likely_target(list(table.columns))[0]]
    with suppress(FaultError):  # which the proposer for other tables tells of
        return named_targets(table, target)
    return []


def _is_plain(series: Series) -> bool:
    is_in_order = bool((series.order == np.arange(len(series.order))).all())
    return len(series) >= FEWEST and mean(series.lengths.tolist()) >= SHORTEST and is_in_order


def _about(source: Path, found: Found) -> Iterator[str]:
    series, lengths = found.series, found.series.lengths.tolist()
    rows = counted(len(series.order), "row")
    yield f"{source}: {rows} in {len(series):,} series, identified by column {found.column}"
    spread = f"{min(lengths)} {median(lengths):g} {max(lengths)} (min, median, max)"
    yield f"length: {spread}, in the order of {found.time}"
