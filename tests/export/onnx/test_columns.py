"""Columns are encoded in a graph as the dataset encodes them."""

from __future__ import annotations

from datetime import date

import pytest
import torch

from cnnctl.data.tables.columns import Category, Column, Date, Ignored, Number
from cnnctl.data.tables.features import encode
from cnnctl.export.onnx.columns import (
    ColumnFeatures,
    ColumnInput,
    column_inputs,
    month_of,
    unknown_columns,
)
from cnnctl.export.onnx.rows import random_rows, tensors_of

COLUMNS: dict[str, Column] = {
    "when": Date(mean=10_000, std=90_000, missing=True),
    "size": Number(mean=3, std=2, missing=True),
    "colour": Category(values=["", "red", "ärmlich", "NA"]),
    "id": Ignored(reason="an identifier"),
    "weight": Number(mean=1.7e9, std=3.5, missing=False),
    "rare": Category(values=[]),
    "made": Date(mean=0, std=1, missing=False),
}


def positions(column: ColumnInput, texts: torch.Tensor) -> torch.Tensor:
    """What a graph makes of texts: their places among the values."""
    found = [bytes(row).rstrip(b"\0").decode() for row in texts.tolist()]
    known = {value: at for at, value in enumerate(column.values)}
    return torch.tensor([known.get(text, len(known)) for text in found])


def test_rows_have_the_features_that_training_had() -> None:
    inputs = column_inputs(COLUMNS)
    assert [each.name for each in inputs] == [*COLUMNS][:3] + [*COLUMNS][4:]
    module = ColumnFeatures([COLUMNS[each.name] for each in inputs])
    rows = random_rows(COLUMNS, 400, seed=3)
    given = [
        positions(each, column) if each.kind == "category" else column
        for each, column in zip(inputs, tensors_of(COLUMNS, rows), strict=True)
    ]
    expected = encode(COLUMNS, rows)
    assert expected.std(dim=0).ne(0).sum() == expected.shape[1] - 1  # but the lone "other" of rare
    torch.testing.assert_close(module(*given), expected, rtol=0, atol=1e-6)


def test_infinite_numbers_are_missing() -> None:
    module = ColumnFeatures([Number(mean=5, std=2, missing=True)])
    given = torch.tensor([float("inf"), float("nan"), -float("inf"), 9], dtype=torch.float64)
    assert module(given).tolist() == [[0, 1], [0, 1], [0, 1], [2, 0]]


@pytest.mark.parametrize("year", [1, 4, 1582, 1900, 1969, 1970, 2000, 2023, 2024, 9999])
def test_months_are_those_of_the_calendar(year: int) -> None:
    first, last = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
    days = torch.arange(first, last + 1)
    expected = [date.fromordinal(day).month - 1 for day in days.tolist()]
    assert month_of(days - date(1970, 1, 1).toordinal()).tolist() == expected


def test_a_column_of_another_kind_is_named() -> None:
    class Rank(Number, kind="rank_for_a_test"):
        """A kind of a plugin."""

    try:
        assert unknown_columns(COLUMNS) == {}
        assert unknown_columns({**COLUMNS, "place": Rank()}) == {"place": "rank_for_a_test"}
    finally:
        del Column.kinds["rank_for_a_test"]
