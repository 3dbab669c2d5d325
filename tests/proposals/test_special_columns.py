"""Columns that decide the splits are told by their names and cells."""

import pytest

from cnnctl.data.tables.reading import Table
from cnnctl.proposals.special_columns import split_columns

ROWS = 20
TEST = [int(at >= 15) for at in range(ROWS)]
TRAIN = [int(at < 10) for at in range(ROWS)]


def table_of(**columns: list[object]) -> Table:
    cells = {name: [str(cell) for cell in column] for name, column in columns.items()}
    return Table("t.csv", cells, range(2, 2 + ROWS), "")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"is_test": TEST}, ["is_test"]),
        ({"is_train": TRAIN, "isTest": TEST}, ["isTest", "is_train"]),
        ({"is_valid": TEST, "is_train": TRAIN}, ["is_train", "is_valid"]),
        ({"is_valid": TEST, "set": ["train", "val", "test", "train"] * 5}, ["set", "is_valid"]),
        ({"is_valid": [1 - bit for bit in TEST]}, []),  # most rows are valid, whatever that means
        ({"is_test": [0] * ROWS}, []),
        ({"is_test": [*TEST[1:], 2]}, []),
        ({"is_tested": TEST, "test": TEST, "set": TEST}, []),
        ({"set": ["train", "other"] * 10}, []),
        ({"set": ["val", "test"] * 10}, []),
    ],
)
def test_they_put_most_rows_in_training(
    columns: dict[str, list[object]], expected: list[str]
) -> None:
    assert split_columns(table_of(**columns)) == expected


def test_a_target_is_none_of_them() -> None:
    columns = table_of(is_train=[*TRAIN], is_test=[*TEST])
    assert split_columns(columns, beside={"is_test"}) == ["is_train"]
