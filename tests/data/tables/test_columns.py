import math
from datetime import date, datetime, timedelta

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from cnnctl.data.tables.cells import Cells, days_of
from cnnctl.data.tables.columns import Category, Column, Date, Ignored, Number
from cnnctl.data.tables.features import encode
from cnnctl.data.tables.reading import Table
from cnnctl.errors import ExitCode, FaultError


def cells_of(*values: str) -> Cells:
    return Cells("x", values, range(2, 2 + len(values)), "t.csv", "or write columns: {x: category}")


def table_of(**columns: list[str]) -> Table:
    rows = len(next(iter(columns.values())))
    return Table("t.csv", columns, range(2, rows + 2), "")


def test_numbers_are_standardised_as_by_scikit_learn() -> None:
    values = np.random.default_rng(0).normal(5e8, 3, 200)
    train, other = (
        cells_of(*map(repr, values[:150].tolist())),
        cells_of(*map(repr, values.tolist())),
    )
    expected = StandardScaler().fit(values[:150, None]).transform(values[:, None])
    found = Number().learned(train).encode(other)
    assert np.abs(found - expected).max() < 1e-6


def test_missing_numbers_are_the_mean_and_marked() -> None:
    column = Number().learned(cells_of("1", "", "NA", "NaN", "null", "3"))
    assert (column.mean, column.std, column.missing) == (2, 1, True)
    assert column.encode(cells_of("nan", "4")).tolist() == [[0, 1], [2, 0]]
    # a mark that is always 0 in training would be noise
    never = Number().learned(cells_of("1", "3"))
    assert never.encode(cells_of("", "4")).tolist() == [[0], [2]]


def test_numbers_that_are_alike_in_training_do_not_divide_by_zero() -> None:
    assert Number().learned(cells_of("7", "7")).encode(cells_of("7", "9")).tolist() == [[0], [2]]
    assert Number().learned(cells_of("", "")).encode(cells_of("", "3")).tolist() == [[0, 1], [3, 0]]


def test_given_statistics_are_kept() -> None:
    column = Number(mean=10, std=2).learned(cells_of("1", "3"))
    assert column.encode(cells_of("14")).tolist() == [[2]]


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("1,234", "without separators"),
        ("1 234.5", "without separators"),
        ("1'234", "without separators"),
        ("3,14", "without separators"),
        ("abc", "or write columns: {x: category}"),
        ("inf", "or write columns: {x: category}"),
        ("1_000", "or write columns: {x: category}"),
        ("0x10", "or write columns: {x: category}"),
    ],
)
def test_what_is_no_number_is_named_by_line(cell: str, hint: str) -> None:
    with pytest.raises(FaultError, match=r"t.csv:3: column x: .* is not a number") as error:
        Number(mean=0, std=1).encode(cells_of("1", cell, "2"))
    assert error.value.exit_code is ExitCode.DATA
    assert hint in error.value.faults[0].hint


def test_categories_are_encoded_as_by_scikit_learn() -> None:
    values = np.random.default_rng(0).choice(["red", "blue", "", "NA"], 60)
    column = Category().learned(cells_of(*values))
    encoder = OneHotEncoder(sparse_output=False).fit(values[:, None])
    assert column.values == encoder.categories_[0].tolist() == ["", "NA", "blue", "red"]
    found = column.encode(cells_of(*values))
    assert np.array_equal(found[:, :-1], encoder.transform(values[:, None]))
    assert not found[:, -1].any()


def test_categories_that_were_never_seen_are_other() -> None:
    column = Category(values=["blue", "red"])
    assert column.encode(cells_of("red", "green", "")).tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 1]]


def test_rare_categories_and_those_above_the_limit_are_other() -> None:
    values = [f"v{number:04}" for number in range(1200) for _ in range(2)] + ["rare", *["w"] * 3]
    column = Category().learned(cells_of(*values))
    assert column.values == [*(f"v{number:04}" for number in range(999)), "w"]
    assert Category().learned(cells_of("a", "b", "b")).values == ["a", "b"]


def test_dates_are_days_and_circles() -> None:
    days = [date(2024, 2, 29) + timedelta(7 * number) for number in range(50)]
    column = Date().learned(cells_of(*(day.isoformat() for day in days)))
    ordinals = np.array([day.toordinal() for day in days])
    found = column.encode(cells_of(*(day.isoformat() for day in days)))
    assert np.allclose(found[:, 0], (ordinals - ordinals.mean()) / ordinals.std())
    for row, day in zip(found.tolist(), days, strict=True):
        month, weekday = 2 * math.pi * (day.month - 1) / 12, 2 * math.pi * day.weekday() / 7
        expected = [math.sin(month), math.cos(month), math.sin(weekday), math.cos(weekday)]
        assert row[1:] == pytest.approx(expected)


def test_missing_dates_are_marked() -> None:
    column = Date().learned(cells_of("2024-01-01", "", "2024-01-03"))
    assert column.width == 6
    assert column.encode(cells_of("")).tolist() == [[0, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("cell", "days"),
    [
        ("1970-01-02", 1),
        ("1970-01-02T12:00:00", 1.5),
        ("1970-01-02 06:00", 1.25),
        ("1970-01-02T00:00:00+06:00", 0.75),
        ("1969-12-31T00:00:00Z", -1),
        ("31.12.1969", None),
        ("0001-01-01T00:00:00+10:00", None),
        ("soon", None),
    ],
)
def test_dates_are_those_of_iso_8601(cell: str, days: float | None) -> None:
    assert days_of(cell) == days


@given(st.datetimes())
def test_every_moment_is_read_back(moment: datetime) -> None:
    days = days_of(moment.isoformat())
    assert days is not None
    assert datetime(1970, 1, 1) + timedelta(days) - moment < timedelta(milliseconds=1)
    features = Date(mean=0, std=1).encode(cells_of(moment.isoformat()))[0]
    assert features[4] == pytest.approx(math.cos(2 * math.pi * moment.weekday() / 7))


COLUMNS: dict[str, Column] = {
    "length": Number(mean=1, std=2, missing=True),
    "id": Ignored(reason="an identifier"),
    "colour": Category(values=["blue", "red"]),
}


def test_a_table_is_encoded_in_the_order_of_its_columns() -> None:
    # whatever the order of the file; ignored columns need not be there
    table = table_of(colour=["red", "green"], other=["", ""], length=["5", ""])
    found = encode(COLUMNS, table)
    assert found.dtype == torch.float32
    assert found.tolist() == [[2, 0, 0, 1, 0], [0, 1, 0, 0, 1]]


def test_a_missing_column_is_a_fault() -> None:
    with pytest.raises(FaultError, match=r"t.csv: has no column colour") as error:
        encode(COLUMNS, table_of(length=["1"], color=["red"]))
    assert error.value.faults[0].hint == "did you mean color?"


def test_a_table_without_features_says_why() -> None:
    with pytest.raises(FaultError, match="no column to learn from: id is an identifier"):
        encode({"id": COLUMNS["id"]}, table_of(id=["1"]))


values = st.one_of(st.just(""), st.floats(-1e30, 1e30).map(repr))


@given(st.lists(st.tuples(values, st.text(max_size=3)), min_size=1))
def test_a_row_is_encoded_alike_in_any_company(rows: list[tuple[str, str]]) -> None:
    numbers, texts = map(list, zip(*rows, strict=True))
    learned = {
        "n": Number().learned(cells_of(*numbers)),
        "c": Category().learned(cells_of(*texts)),
    }
    together = encode(learned, table_of(n=numbers, c=texts))
    assert together.isfinite().all()
    for at in range(len(rows)):
        alone = encode(learned, table_of(n=numbers[at : at + 1], c=texts[at : at + 1]))
        assert torch.equal(alone[0], together[at])
    assert Column.read(learned["n"].written()) == learned["n"]
    assert Column.read(learned["c"].written()) == learned["c"]


def test_features_are_read_back_as_text() -> None:
    """What `explain` shows of a row: its cells, to six digits and to the day."""
    cells: list[tuple[Column, list[str]]] = [
        (Number(), ["1", "2.5", "-40", ""]),
        (Date(), ["2024-03-01", "1999-12-31", "", "2025-01-01"]),
        (Category(), ["b", "a", "a", "c"]),
    ]
    unseen = cells_of("never")
    for column, values in cells:
        known = column.learned(cells_of(*values))
        found = [known.as_text(row.tolist()) for row in known.encode(cells_of(*values))]
        assert found == [value or "missing" for value in values]
        if isinstance(known, Category):
            assert known.as_text(known.encode(unseen)[0].tolist()) == "another value"
