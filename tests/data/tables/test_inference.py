import pytest

from cnnctl.data.tables.cells import Cells
from cnnctl.data.tables.inference import kind_of
from cnnctl.errors import FaultError


def cells_of(values: list[str], name: str = "x") -> Cells:
    return Cells(
        name, values, range(2, 2 + len(values)), "t.csv", "or write columns: {x: category}"
    )


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        (["1", "2.5", "-3e4", ".5"], "number", ""),
        (["1", "", "NA", "null", "nan", "2"], "number", ""),
        (["red", "blue", "", "NA"] * 10, "category", ""),
        (["1", "2", "3", "4+"] * 10, "category", ""),
        (["2024-01-01", "2024-02-01T10:00", ""], "date", ""),
        (["7"] * 5, "ignored", "constant"),
        ([""] * 5, "ignored", "constant"),
        ([str(number) for number in range(30, 0, -1)], "ignored", "a row number"),
        ([str(number) for number in range(2000, 2030)], "number", ""),
        ([f"id{number}" for number in range(30)], "ignored", "an identifier"),
        ([f"said {number}" for number in range(49)] + ["said 1"], "ignored", "text"),
        ([f"id{number}" for number in range(5)], "category", ""),
    ],
)
def test_the_kind_of_a_column_follows_from_its_cells(
    values: list[str], kind: str, reason: str
) -> None:
    column = kind_of(cells_of(values))
    assert column.kind == kind
    assert column.options().get("reason", "") == reason


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("Unnamed: 0", ["0", "1", "2"], "ignored"),
        ("Unnamed: 0.1", ["a7", "a3", "b"], "ignored"),
        ("Unnamed: 0", ["0", "1", "1"], "number"),
        ("Unnamed: 1", ["0", "1", "2"], "number"),
    ],
)
def test_an_index_without_a_name_is_ignored(name: str, values: list[str], kind: str) -> None:
    assert kind_of(cells_of(values, name)).kind == kind


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1"] * 30 + ["2", "l3", "4"], "t.csv:33: column x: l3 is not a number"),
        (["950", "1,200", "1,350.50"], "t.csv:3: column x: 1,200 is not a number"),
        (["1,200", "1,350"], "t.csv:2: column x: 1,200 is not a number"),
        (["3,5", "4,25", "n/a"] * 4 + ["3,5"] * 40, "t.csv:2: column x: 3,5 is not a number"),
        (["2024-01-01"] * 30 + ["01.02.2024"], "t.csv:32: column x: 01.02.2024 is not a date"),
        (
            [str(number / 4) for number in range(39_998)] + ["high", "low"] * 5_000,
            "t.csv:40000: column x: high is not a number",
        ),
    ],
)
def test_mistakes_in_a_column_of_numbers_are_named_by_line(values: list[str], message: str) -> None:
    with pytest.raises(FaultError, match=message) as error:
        kind_of(cells_of(values))
    assert error.value.faults[0].hint
