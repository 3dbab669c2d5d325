import csv
import io
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnnctl.data.tables import parquet
from cnnctl.data.tables.columns import Category, Column, Date, Number
from cnnctl.data.tables.features import encode
from cnnctl.data.tables.reading import read_table
from cnnctl.errors import ExitCode, FaultError

pl = pytest.importorskip("polars")

NUMBERS = {
    "float": ["0.1", "1e-7", "", "-1.7976931348623157e308"],
    "integer": ["9007199254740993", "-9223372036854775808", "", "0"],
    "decimal": ["1.10", "-0.05", "", "12345.67"],
}
DATES = {
    "date": ["2024-02-29", "1969-12-31", "", "2000-01-01"],
    "moment": ["2024-02-29T23:30:00+02:00", "1969-12-31T00:00:00+00:00", "", "2000-01-01T12:00Z"],
}
TEXTS = {
    "text": ["x", ' é, "y" ', "", "NA"],
    "flag": ["true", "false", "", "true"],
    "category": ["a", "b", "", "a"],
}


def written(folder: Path) -> Path:
    def of(cells: list[str], parse: Callable[[str], Any]) -> list[Any]:
        return [parse(cell) if cell else None for cell in cells]

    moments = [
        each and each.astimezone(UTC) for each in of(DATES["moment"], datetime.fromisoformat)
    ]
    frame = pl.DataFrame(
        {
            "float": of(NUMBERS["float"], float),
            "integer": pl.Series(of(NUMBERS["integer"], int), dtype=pl.Int64),
            "decimal": pl.Series(of(NUMBERS["decimal"], Decimal), dtype=pl.Decimal(10, 2)),
            "date": of(DATES["date"], date.fromisoformat),
            "moment": pl.Series(moments).dt.convert_time_zone("Europe/Paris"),
            "text": of(TEXTS["text"], str),
            "flag": of(TEXTS["flag"], lambda cell: cell == "true"),
            "category": pl.Series(of(TEXTS["category"], str), dtype=pl.Categorical),
        }
    )
    frame.write_parquet(folder / "t.parquet")
    return folder / "t.parquet"


def test_a_table_has_the_features_that_it_has_as_csv(tmp_path: Path) -> None:
    cells = {**NUMBERS, **DATES, **TEXTS}
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[*cells], *zip(*cells.values(), strict=True)])
    stored, text = read_table(written(tmp_path)), read_table(tmp_path / "t.csv")
    columns: dict[str, Column] = {
        **dict.fromkeys(NUMBERS, Number(mean=0.0, std=1.0, missing=True)),
        **dict.fromkeys(DATES, Date(mean=0.0, std=1.0, missing=True)),
        **{name: Category().learned(text.cells(name)) for name in TEXTS},
    }
    assert list(stored.columns) == list(text.columns)
    assert torch.equal(encode(columns, stored), encode(columns, text))
    assert list(stored.lines) == [1, 2, 3, 4]


def test_damaged_files_and_nested_cells_are_faults(tmp_path: Path) -> None:
    content = written(tmp_path).read_bytes()
    nested = io.BytesIO()
    pl.DataFrame({"a": [[1, 2]]}).write_parquet(nested)
    for each in (b"", b"PAR1", content[:-9], b"a,b\n1,2\n", nested.getvalue()):
        (tmp_path / "t.parquet").write_bytes(each)
        with pytest.raises(FaultError, match=r"t\.parquet: (is not a|column a: cells)") as error:
            read_table(tmp_path / "t.parquet")
        assert error.value.exit_code is ExitCode.DATA


def test_faults_name_the_row(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match=r"t\.parquet: row 4: column flag: .true. is not a number"):
        Number().numbers(read_table(written(tmp_path)).take(np.array([3])).cells("flag"))
    pl.DataFrame({"x": ["a", "b" * 10_001]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(FaultError, match=r"t\.parquet: row 2: a cell of 10,001 characters"):
        read_table(tmp_path / "t.parquet")
    pl.DataFrame({"x": ["a", "b\0"]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(FaultError, match=r"t\.parquet: row 2: has a NUL character"):
        read_table(tmp_path / "t.parquet")


def test_without_polars_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(FaultError, match="need the polars package") as error:
        read_table(path)
    assert "cnnctl[tables]" in (error.value.faults[0].hint or "")


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical])
def test_a_small_file_of_long_cells_is_refused_before_they_are_made(
    kind: Any, tmp_path: Path
) -> None:
    """A dictionary holds a cell once, so that a few kB become 1.1 GB."""
    cell = pl.Series("x", ["a" * 9000], dtype=kind)
    pl.DataFrame(cell.new_from_index(0, 125_000)).write_parquet(tmp_path / "t.parquet")
    assert (tmp_path / "t.parquet").stat().st_size < 50_000
    with pytest.raises(FaultError, match=r"has cells of more than 1,073,741,824 bytes") as error:
        read_table(tmp_path / "t.parquet")
    assert error.value.exit_code is ExitCode.DATA


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path)
    monkeypatch.setattr(parquet, "MAX_UNPACKED", 100)
    monkeypatch.setattr(parquet, "child", None)
    with pytest.raises(FaultError, match="bytes uncompressed, more than the limit of 100"):
        read_table(path)
