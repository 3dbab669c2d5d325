"""Charts of what runs have recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cnnctl.errors import FaultError
from cnnctl.plotting.curves import charts_of, read_runs

ROWS = [
    {"epoch": 1, "step": 5, "lr": 0.1, "train_loss": 2.0, "train_accuracy": 0.5, "val_loss": 2.5,
     "val_accuracy": 0.25, "seconds": 1.0, "kept": True},
    {"epoch": 2, "step": 10, "lr": 0.01, "train_loss": 1.0, "train_accuracy": 0.75,
     "val_loss": 1.5, "val_accuracy": 0.5, "seconds": 1.0, "kept": True},
    {"epoch": 3, "step": 15, "lr": 0.01, "train_loss": 0.5, "train_accuracy": 1.0, "val_loss": 2.0,
     "val_accuracy": 0.5, "seconds": 1.0, "kept": False},
]  # fmt: skip


def run(folder: Path, rows: list[dict[str, Any]] = ROWS, monitor: str = "accuracy") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"train: {{monitor: {monitor}}}\n")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_one_run_has_a_line_for_each_split(tmp_path: Path) -> None:
    loss, accuracy, rate = charts_of(read_runs([run(tmp_path / "a")]))
    assert [chart.title for chart in (loss, accuracy, rate)] == [
        *("Loss", "Accuracy", "Learning rate"),
    ]
    training, validation = loss.series
    assert (training.name, training.style) == ("training", "dashed")
    assert training.points == [(1, 2.0), (2, 1.0), (3, 0.5)]
    assert validation.points == [(1, 2.5), (2, 1.5), (3, 2.0)]
    assert [(mark.name, mark.x) for mark in loss.marks] == [("kept (epoch 2)", 2)]
    assert accuracy.y == "%"
    assert accuracy.series[0].points == [(1, 50.0), (2, 75.0), (3, 100.0)]
    assert [series.points for series in rate.series] == [[(1, 0.1), (2, 0.01), (3, 0.01)]]


def test_several_runs_have_a_colour_each(tmp_path: Path) -> None:
    regression = [{"epoch": 1, "lr": 1.0, "train_loss": 4.0, "kept": True}]
    runs = read_runs([run(tmp_path / "a"), run(tmp_path / "b", regression, monitor="loss")])
    loss, accuracy, _ = charts_of(runs)
    assert [(series.name, series.colour, series.style) for series in loss.series] == [
        ("a, training", 0, "dashed"),
        ("a, validation", 0, "solid"),
        ("b, training", 1, "solid"),
    ]
    assert len(accuracy.series) == 2
    assert not loss.marks


def test_metrics_can_be_chosen(tmp_path: Path) -> None:
    runs = read_runs([run(tmp_path / "a")])
    chosen = charts_of(runs, ["seconds", "loss"], has_log_y=True)
    assert [chart.title for chart in chosen] == ["Seconds", "Loss"]
    assert all(chart.has_log_y for chart in chosen)
    with pytest.raises(FaultError, match=r"no run has the metric acuracy\n.*accuracy\?"):
        charts_of(runs, ["acuracy"])


def test_runs_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    folders = [run(tmp_path / "x" / "a"), run(tmp_path / "y" / "a")]
    assert [each.name for each in read_runs(folders)] == [str(folder) for folder in folders]


def test_a_checkpoint_stands_for_its_run(tmp_path: Path) -> None:
    folder = run(tmp_path / "a")
    [found] = read_runs([folder / "checkpoints" / "best.safetensors"])
    assert found.name == "a"


def test_a_folder_without_metrics_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="no epoch was finished"):
        read_runs([run(tmp_path / "a", [])])
    for other in (tmp_path, tmp_path / "lenet.yaml"):
        with pytest.raises(FaultError, match=r"is not a run(.|\n)*--learned"):
            read_runs([other])


def test_json_has_no_number_that_is_not_finite(tmp_path: Path) -> None:
    [found] = read_runs([run(tmp_path / "a", [{"epoch": 1, "train_loss": float("nan")}])])
    assert found.to_json()["rows"] == [{"epoch": 1, "train_loss": None}]
