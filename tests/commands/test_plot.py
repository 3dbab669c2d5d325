"""`cnnctl plot`: what it prints and writes."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from tests.conftest import invoke, rows_of


def test_the_curves_of_a_run_are_printed(digits_run: Path) -> None:
    done = invoke("plot", digits_run, COLUMNS="60")
    assert done.exit_code == 0, done.output
    titles = [line for line in done.stdout.splitlines() if line[:1].isalpha()]
    assert titles == ["Loss", "Accuracy, %", "Learning rate"]
    assert all(len(line) <= 60 for line in done.stdout.splitlines())


def test_json_has_the_rows_of_the_run(digits_run: Path) -> None:
    [found] = json.loads(invoke("plot", digits_run, "--json").stdout)
    assert found["run"] == "tiny"
    clocked = ("seconds", "samples_per_second")
    rows = [{k: v for k, v in row.items() if k not in clocked} for row in found["rows"]]
    assert rows == rows_of(digits_run)


def test_curves_are_drawn_to_a_file(digits_run: Path, diabetes_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "curves.png"
    runs = digits_run, diabetes_run / "checkpoints" / "last.safetensors"
    done = invoke("plot", *runs, "-o", file)
    assert (done.exit_code, done.stdout) == (0, f"{file}\n")
    with Image.open(file) as picture:
        assert picture.size == (1120, 1536)


def test_a_file_of_another_kind_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    done = invoke("plot", tmp_path / "nothing", "-o", tmp_path / "curves.gif")
    assert done.exit_code == 2
    assert "use a file name ending in .png or .svg" in done.stderr


def test_the_layers_of_a_watched_run_are_drawn(tiny: Path, tmp_path: Path) -> None:
    assert invoke("train", tiny, "train.watch=2", "--runs", tmp_path / "runs").exit_code == 0
    run = tmp_path / "runs" / "tiny"
    done = invoke("plot", run, "--watch", COLUMNS="60")
    titles = [line for line in done.stdout.splitlines() if line[:1].isalpha()]
    assert titles == ["Gradient, root mean square", "Update / weight, root mean squares"]
    [found] = json.loads(invoke("plot", run, "--watch", "--json").stdout)
    steps = [record["step"] for record in found["records"]]
    assert steps[:3] == [1, 2, 4]
    assert found["records"][0]["layers"].keys() == {"linear1", "relu1", "linear2"}
