"""The series of a long table: their rows, their order, and what holds for each as a whole."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.data.arrays.form import of_length
from cnnctl.data.series.table import Roles, Series, SeriesTable
from cnnctl.data.tables.reading import Table
from cnnctl.errors import ExitCode, FaultError

HEADER = ["id", "t", "x", "y", "kind"]
ROWS = [
    ["b", 0, 1.5, 10, "dog"],
    ["a", 5, 2.5, 20, "cat"],
    ["b", 1, 3.5, 30, "dog"],
    ["b", 2, 4.5, 40, "dog"],
    ["a", 6, 5.5, 50, "cat"],
]


def table(rows: Sequence[Sequence[Any]], header: Sequence[str] = HEADER) -> Table:
    columns = {name: [str(row[at]) for row in rows] for at, name in enumerate(header)}
    return Table("t.csv", columns, range(2, len(rows) + 2), "digest")


def source(rows: Sequence[Sequence[Any]], time: str | None = "t", **roles: str) -> SeriesTable:
    series = Series.of(table(rows), series="id", time=time)
    return SeriesTable(series, Roles("id", {"auto": "kind"}, time, **roles))


def test_series_come_in_the_order_in_which_they_begin() -> None:
    found = source(ROWS)
    assert list(found.series.names) == ["b", "a"]
    assert found.series.lengths.tolist() == [3, 2]
    signals = found.signals(np.array([0, 1]), ["x", "y"], length=3, fill=[9, 8])
    assert signals.tolist() == [[[1.5, 3.5, 4.5], [10, 30, 40]], [[2.5, 5.5, 9], [20, 50, 8]]]
    signals = found.signals(np.array([1]), ["y"], length=1, fill=[0])
    assert signals.tolist() == [[[20]]]
    assert found.targets("auto").cells.values == ["dog", "cat"]
    assert found.targets("auto").cells.lines == [2, 3]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-5, 5)), min_size=1, max_size=30),
    st.integers(1, 12),
)
def test_signals_are_the_values_of_each_series_in_their_order(
    moments: list[tuple[str, int]], length: int
) -> None:
    moments = [*moments, *((name, 7) for name in "aabbcc")]
    rows = [[name, at, value, 0, "dog"] for at, (name, value) in enumerate(moments)]
    found = source(rows)
    signals = found.signals(np.arange(len(found)), ["x"], length=length, fill=[99])
    for name, signal in zip(found.series.names, signals, strict=True):
        own = [float(value) for other, value in moments if other == name]
        assert signal[0].tolist() == (own + [99] * length)[:length]


def test_statistics_count_every_moment_that_is_used_once() -> None:
    rng = np.random.default_rng(0)
    rows = [[f"s{at % 7}", at, *rng.normal(3, 5, 2).round(3), "dog"] for at in range(100)]
    found = source(rows)
    parts = [[row[2:4] for row in rows if row[0] == name][:9] for name in ("s1", "s4")]
    used = np.concatenate(parts)
    measured = found.statistics(np.array([1, 4]), ["x", "y"], length=9)
    np.testing.assert_allclose(measured.mean, used.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(measured.std, used.std(axis=0), rtol=1e-6)
    constant = source([[*row[:2], 5, 1, "dog"] for row in rows])
    assert constant.statistics(np.array([0]), ["x"], length=9).std == [1.0]


@pytest.mark.parametrize(
    ("lengths", "expected"), [([5, 6, 7], 7), ([5, 6, 100], 12), ([3, 3], 3), ([3, 4], 4)]
)
def test_the_length_is_the_longest_but_for_outliers(lengths: list[int], expected: int) -> None:
    rows = [[f"s{at}", t, 0, 0, "dog"] for at, count in enumerate(lengths) for t in range(count)]
    found = source(rows)
    assert found.length_for(np.arange(len(lengths))) == expected


@pytest.mark.parametrize("length", [1, 2, 5])
def test_signals_of_arrays_are_cut_and_filled_in_the_same_way(length: int) -> None:
    signals = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    found = of_length(signals, length, fill=[50, 60])
    for signal, other in zip(found, signals, strict=True):
        for channel, own, fill in zip(signal, other, (50, 60), strict=True):
            assert channel.tolist() == [*own.tolist(), fill, fill][:length]


def changed(row: int, column: str, value: Any) -> list[list[Any]]:
    rows = [[*row] for row in ROWS]
    rows[row][HEADER.index(column)] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "line", "message"),
    [
        (changed(2, "kind", "cat"), 4, "cat differs from dog in line 2, of series b"),
        (changed(3, "t", 0.5), 5, "'0.5' goes back in series b, after line 4"),
        (changed(3, "t", 1), 5, "'1' occurs twice in series b, after line 4"),
        (changed(3, "t", ""), 5, "the time is missing"),
        (changed(3, "t", "soon"), 5, "soon is not a number"),
        (changed(3, "x", ""), 5, "the value is missing"),
        (changed(3, "x", "nan"), 5, "the value is missing"),
        (changed(3, "x", "1e39"), 5, "1e39 is too large"),
        (changed(3, "x", "4..5"), 5, "4..5 is not a number"),
        (changed(3, "x", "1,234.5"), 5, "is not a number"),
        (changed(4, "id", ""), 6, "the series is missing"),
        (changed(4, "id", "c"), 3, "series a has only this row"),
    ],
)
def test_what_makes_no_series_is_named_by_line(
    rows: list[list[Any]], line: int, message: str
) -> None:
    with pytest.raises(FaultError, match=message) as error:
        found = source(rows)
        found.targets("auto")
        found.signals(np.arange(len(found)), ["x"], length=3, fill=[0])
    assert error.value.faults[0].place == f"t.csv:{line}"
    assert error.value.faults[0].hint
    assert error.value.exit_code is ExitCode.DATA


def test_dates_order_series_too() -> None:
    rows = [[*row] for row in ROWS]
    for row, day in zip(rows, ("01", "02", "03", "04", "05"), strict=True):
        row[1] = f"2024-01-{day}"
    assert source(rows, recorded="t").times() == [19723.0, 19724.0]
    rows[3][1] = "2024-01-02"
    with pytest.raises(FaultError, match="goes back in series b, after line 4"):
        source(rows)


def test_rows_are_in_order_where_no_time_is_named(tmp_path: Path) -> None:
    rows = changed(3, "t", 0.5)
    assert len(source(rows, time=None)) == 2
