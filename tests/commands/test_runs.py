from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import invoke


def write_run(path: Path, *rows: dict[str, float]) -> None:
    path.mkdir(parents=True)
    (path / "config.yaml").touch()
    text = "".join(json.dumps({"seconds": 0.5, **row}) + "\n" for row in rows)
    (path / "metrics.jsonl").write_text(text, encoding="utf-8")


def test_each_run_has_a_row_with_its_last_loss_and_best_accuracy(tmp_path: Path) -> None:
    write_run(
        tmp_path / "größe",
        {"val_loss": 0.5, "val_accuracy": 0.75},
        {"val_loss": 0.25, "val_accuracy": 0.5},
    )
    write_run(tmp_path / "house", {"train_loss": 2.0})
    write_run(tmp_path / "new")
    (tmp_path / "no-run").mkdir()
    facts = json.loads(invoke("runs", tmp_path, "--json").stdout)
    assert [tuple(run.values()) for run in facts] == [
        ("größe", 2, "val", 0.25, 0.75, 1.0),
        ("house", 1, "train", 2.0, None, 0.5),
        ("new", 0, "train", None, None, 0),
    ]
    table = invoke("runs", tmp_path).stdout
    assert "75.00%" in table
    assert "0.2500" in table


def test_no_runs_are_said(tmp_path: Path) -> None:
    assert invoke("runs", tmp_path).stdout == f"no runs in {tmp_path}\n"
