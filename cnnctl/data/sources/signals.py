"""Signals: series in a long table, or in NumPy's arrays."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from torch import Tensor

from cnnctl.config.choice import refusal
from cnnctl.config.wording import show
from cnnctl.data.arrays.collection import Collection, open_collection
from cnnctl.data.arrays.form import SIGNAL_DIMENSIONS, ArrayForm, Layout
from cnnctl.data.arrays.naming import TARGETS
from cnnctl.data.arrays.reading import ARRAY_SUFFIXES, has_arrays
from cnnctl.data.arrays.stored import StoredArray
from cnnctl.data.file_set import not_surveyed
from cnnctl.data.normalization import Normalize, normalization_of
from cnnctl.data.paths import DataPath
from cnnctl.data.residence import Residence
from cnnctl.data.rows import Rows
from cnnctl.data.sample_set import SampleSet
from cnnctl.data.sample_source import SampleSource
from cnnctl.data.samples import Shape
from cnnctl.data.series.table import Roles, Series, SeriesTable
from cnnctl.data.splits import Positions
from cnnctl.data.tables.columns import Number
from cnnctl.data.tables.inference import kind_of
from cnnctl.data.tables.reading import MAX_COLUMNS, Table, read_table
from cnnctl.errors import ConfigPath, config_fault, data_fault, nearest
from cnnctl.paths import is_folder

Name = Annotated[str, Field(min_length=1)]
Length = Annotated[int, Field(ge=2, le=10_000_000)]
RULES = ("group", "recorded", "split")
"""Options that decide the splits."""
OF_TABLES = ("series", "time", "channels", "recorded")
CURE = "or name the columns with the values: data.channels"
OF_ARRAYS = ("inputs", "layout", "rows")


class SignalSet(SampleSet, kind="signals"):
    """Series of one or more channels, each with a class, labels or values.

    Either a long table (CSV, TSV or Parquet) with a row for each time step, or arrays
    (N, channels, length) or (N, length) in an .npz file, or .npy files in a folder or an archive.
    Series are brought to one length: shorter ones are padded at the end with the mean of each
    channel, which normalization makes 0, and longer ones are cut. A series is never in two splits.
    """

    path: DataPath
    """The table, or an archive (.zip, .tar) that holds no other; the .npz file; or the folder or
    archive of .npy files, relative to this file."""
    target: Name = "auto"
    """Column or array to predict, the same in all rows of a series; `auto` knows y, label(s) and
    target(s)."""
    series: Name | None = None
    """Column that tells the series in a table apart."""
    time: Name | None = None
    """Column of numbers or dates that increase within a series (default: the order of rows)."""
    channels: Annotated[list[Name], Field(max_length=MAX_COLUMNS)] = Field(default=[])
    """Columns with the values (default: all other columns of numbers)."""
    length: Literal["auto"] | Length = "auto"
    """Moments of a signal; `auto` is the longest training series, at most twice the median."""
    group: Name | None = None
    """Column or array whose equal entries stay in one split, such as a patient's number."""
    recorded: Name | None = None
    """Column of numbers or dates; the series that begin latest are the test split, those before
    them validation."""
    split: Name | None = None
    """Column or array that puts each series in `train`, `validation` or `test`."""
    inputs: Name = "auto"
    """Array of the inputs, or what the names of those of splits share; `auto` knows x, inputs,
    signals, data and features."""
    layout: Literal["auto"] | Layout = "auto"
    """Whether channels come before or after the length in arrays; `auto` takes the shorter side for
    the channels."""
    rows: Literal["auto"] | Residence = "auto"
    """Keep arrays in memory, or map their files; `auto` keeps them in memory if they take at most a
    fourth of it."""

    @model_validator(mode="after")
    def _has_one_rule(self) -> Self:
        rules = [name for name in RULES if getattr(self, name)]
        if len(rules) > 1:
            raise refusal(f"{' and '.join(rules)} cannot be combined", hint="use one of them")
        return self

    @property
    def one_target(self) -> str:
        return self.target

    def source(self) -> SampleSource:
        path = Path(self.path)
        if is_folder(path) or path.name.lower().endswith(ARRAY_SUFFIXES) or has_arrays(path):
            self._check_options(OF_TABLES, "arrays")
            return open_collection(
                path,
                inputs=self.inputs,
                targets=self.named_targets,
                group=self.group,
                split=self.split,
            )
        self._check_options(OF_ARRAYS, "a table")
        return self._series_of(read_table(path))

    def measured(self, source: SampleSource, train: Positions) -> Self:
        if isinstance(source, SeriesTable):
            return self._measured_in_table(source, train)
        assert isinstance(source, Collection)
        shape, layout = _shape_of(source.inputs, self.layout)
        form = ArrayForm(shape, layout, fill=(0.0,) * shape[0])
        source.check_form(form)
        length = shape[1] if self.length == "auto" else self.length
        cut = ArrayForm((shape[0], min(shape[1], length)), layout, fill=form.fill)
        normalize = self.normalize
        if normalize == "auto":
            source.check(train)
            normalize = normalization_of(source.rows(cut, train).chunks())
        return self._settled(shape[0], length, normalize).model_copy(update={"layout": layout})

    def read_inputs(self, source: SampleSource, rows: Positions) -> Tensor | Rows:
        if isinstance(source, Collection):
            return source.resident(source.rows(self.array_form(), rows), self.rows)
        assert isinstance(source, SeriesTable)
        return source.signals(rows, self.channels, length=self.shape[1], fill=self._fill())

    def array_form(self) -> ArrayForm:
        if not self.shape:
            raise not_surveyed()
        layout = "channels_first" if self.layout == "auto" else self.layout
        return ArrayForm(tuple(self.shape), layout, name=self.inputs, fill=self._fill())

    def input_names(self) -> Mapping[str, int]:
        return dict.fromkeys(self.channels, 1)

    def inputs_hint(self) -> str:
        if self.series is None:
            return super().inputs_hint()
        return "give a table with the columns of the training table"

    def sample_names(self, table: Table) -> list[str]:
        return [f"{table.place}: {name}" for name in self._answered(table).series.names]

    def encoded(self, table: Table) -> Tensor:
        source = self._answered(table)
        found = self.read_inputs(source, np.arange(len(source)))
        assert isinstance(found, Tensor)  # as those of a table are
        return found

    def _answered(self, table: Table) -> SeriesTable:
        """The series of a table, of which targets and splits need not be known."""
        if self.series is None:
            message = "the network was trained on arrays, not on a table"
            raise data_fault(message, hint=self.inputs_hint(), place=table.place)
        series = Series.of(table, series=self.series, time=self.time)
        return SeriesTable(series, Roles(self.series, {}))

    def _check_options(self, options: Sequence[str], kind: str) -> None:
        for name in options:
            default = type(self).model_fields[name].get_default(call_default_factory=True)
            if getattr(self, name) != default:
                message = f"{name} does not apply to {kind}"
                raise config_fault(message, hint="leave it out", path=(name,))

    def _series_of(self, table: Table) -> SeriesTable:
        if self.series is None:
            message = "a table needs the column that tells its series apart"
            hint = f"columns: {', '.join(table.columns)}"
            raise config_fault(message, hint=f"write series: NAME; {hint}", path=("series",))
        self._check_names(table)
        roles = Roles(
            self.series, self._targets_in(table), self.time, self.group, self.split, self.recorded
        )
        return SeriesTable(Series.of(table, series=self.series, time=self.time), roles)

    def _targets_in(self, table: Table) -> dict[str, str]:
        if self.targets or self.target != "auto":
            return {name: name for _, name in self.named_targets}
        return {self.target: self._target_in(table)}

    def _target_in(self, table: Table) -> str:
        found = [name for name in table.columns if name.lower() in TARGETS]
        if len(found) == 1:
            return found[0]
        what = "several columns" if found else "no column"
        hint = f"columns: {', '.join(found or table.columns)}"
        message = f"{self.path} has {what} that may be the target"
        raise config_fault(message, hint=f"name it; {hint}", path=("target",))

    def _check_names(self, table: Table) -> None:
        """Raise a FaultError for options that name columns which the table lacks."""
        targets = self.named_targets if self.targets or self.target != "auto" else []
        named: list[tuple[ConfigPath, str | None]] = [
            *(((option,), getattr(self, option)) for option in ("series", "time", *RULES)),
            *targets,
            *((("channels", number), name) for number, name in enumerate(self.channels)),
        ]
        for path, name in named:
            if name and name not in table.columns:
                message = f"{self.path} has no column {show(name)}"
                raise config_fault(message, hint=nearest(name, list(table.columns)), path=path)

    def _measured_in_table(self, source: SeriesTable, train: Positions) -> Self:
        channels = self.channels or self._found_channels(source)
        length = source.length_for(train) if self.length == "auto" else self.length
        normalize = self.normalize
        if normalize == "auto":
            normalize = source.statistics(train, channels, length=length)
        settled = self._settled(len(channels), length, normalize)
        return settled.model_copy(update={"channels": list(channels)})

    def _found_channels(self, source: SeriesTable) -> list[str]:
        """The columns of numbers that have no other meaning."""
        table, roles = source.series.table, source.roles
        special = (
            *(roles.series, roles.time, *roles.targets.values()),
            *(roles.group, roles.split, roles.recorded),
        )
        others = [name for name in table.columns if name not in special]
        cells = [replace(table.cells(name), cure=CURE) for name in others]
        channels = [each.name for each in cells if isinstance(kind_of(each), Number)]
        if not channels:
            message = "has no numeric columns besides those with another meaning"
            raise data_fault(message, hint="name some: data.channels=[…]", place=table.place)
        if unused := [name for name in others if name not in channels]:
            names = ", ".join(map(show, unused))
            print(
                f"note: not used, as they hold no measurements: {names}",
                file=sys.stderr,
            )
        return channels

    def _settled(self, channels: int, length: int, normalize: Normalize | None) -> Self:
        update = {"shape": [channels, length], "length": length, "normalize": normalize}
        return self.model_copy(update=update)

    def _fill(self) -> tuple[float, ...]:
        """What series are padded with: the mean of each channel, or 0 if it is not removed."""
        if isinstance(self.normalize, Normalize):
            return tuple(self.normalize.mean)
        return (0.0,) * self.shape[0]


def _shape_of(array: StoredArray, layout: Layout | Literal["auto"]) -> tuple[Shape, Layout]:
    """The shape (C, L) of the signals in an array, and its layout."""
    sides = array.shape[1:]
    if len(sides) == 1 and 0 not in array.shape:
        return (1, *sides), "channels_first"
    if len(sides) != SIGNAL_DIMENSIONS or 0 in array.shape:
        message = f"has the shape {array.shape}, which does not fit signals"
        raise array.fault(message, hint="save (N, length) or (N, channels, length)")
    if layout == "auto" and sides[0] == sides[1]:
        message = f"has the shape {array.shape}, either side of which may be the channels"
        raise array.fault(message, hint="set data.layout to channels_first or channels_last")
    if layout == "auto":
        layout = "channels_first" if sides[0] < sides[1] else "channels_last"
    return (sides if layout == "channels_first" else (sides[1], sides[0])), layout
