"""`init`, then what it recommends, on made series."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from cnnctl.data.tables.reading import read_table
from cnnctl.proposals.long_tables import Found, found_in
from tests.conftest import Cli, invoke

HEADER = ["patient", "t", "x", "y", "label"]
Rows = list[list[Any]]


@pytest.fixture(autouse=True)
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def series(count: int = 40, moments: int = 12) -> Rows:
    return [
        [f"p{n}", at, (at * (n % 2 + 1)) % 5, at % 3, ("walk", "run")[n % 2]]
        for n in range(count)
        for at in range(moments)
    ]


def found(rows: Rows, header: list[str] = HEADER) -> Found | None:
    write(rows, header)
    return found_in(read_table(Path("long.csv")))


def write(rows: Rows, header: list[str] = HEADER) -> None:
    with Path("long.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def test_consecutive_rows_with_times_and_one_target_are_series() -> None:
    plain = found(series())
    assert plain is not None
    assert (plain.column, plain.time, plain.targets) == ("patient", "t", ["label"])


def test_anything_less_plain_is_a_table() -> None:
    rows = series()
    assert found(rows, ["patient", "hour", "x", "y", "label"]) is None
    assert found(sorted(rows, key=lambda row: row[1])) is None
    assert found([[*row[:4], number % 2] for number, row in enumerate(rows)]) is None
    assert found([[*row[:1], 3, *row[2:]] for row in rows]) is None
    assert found(series(count=5)) is None
    assert found(series(moments=4)) is None


def test_what_is_written_trains_and_predicts(quick_cli: Cli) -> None:
    write(series())
    done = quick_cli("init", "long.csv")
    assert done.returncode == 0, done.stderr
    assert "long.csv: 480 rows in 40 series, identified by column patient" in done.stdout
    assert " steps, about " in Path("long.yaml").read_text(encoding="utf-8")
    assert quick_cli("check", "long.yaml").stdout == "long.yaml: no problems found\n"
    trained = quick_cli("train", "long.yaml", "train.epochs=1")
    assert trained.returncode == 0, trained.stderr
    assert quick_cli("eval", "runs/long").returncode == 0
    answered = quick_cli("predict", "runs/long", "long.csv", "--jsonl")
    assert answered.returncode == 0, answered.stderr
    assert len(answered.stdout.splitlines()) == 40


def test_steps_are_counted_without_the_batch_that_is_dropped() -> None:
    write(series(60))  # of which 51 are for training, and 10 of these for validation
    assert invoke("init", "long.csv").exit_code == 0
    text = Path("long.yaml").read_text(encoding="utf-8")
    assert "batch_size: 8" in text
    assert "drop_last: true" in text
    assert "# 5 steps per epoch" in text  # of 41 samples


def test_several_targets_get_a_head_each(quick_cli: Cli) -> None:
    names, rows = ["patient", "t", "x", "y", "label", "weight"], series()
    ages = {
        patient: 20 + at / 7 for at, patient in enumerate(dict.fromkeys(row[0] for row in rows))
    }
    write([[*row, ages[row[0]]] for row in rows], names)
    done = quick_cli("init", "long.csv", "--target", "label,weight")
    assert done.returncode == 0, done.stderr
    assert "values of weight: 20 to " in done.stdout
    text = Path("long.yaml").read_text(encoding="utf-8")
    assert "  targets: {label: class, weight: values}" in text
    assert quick_cli("check", "long.yaml").stdout == "long.yaml: no problems found\n"
    trained = quick_cli("train", "long.yaml", "train.epochs=1")
    assert trained.returncode == 0, trained.stderr
    assert quick_cli("predict", "runs/long", "long.csv", "--jsonl").returncode == 0


def test_a_target_that_varies_makes_it_a_table_of_rows() -> None:
    write(series())
    assert invoke("init", "long.csv", "--target", "y").exit_code == 0
    assert "name: table" in Path("long.yaml").read_text(encoding="utf-8")
