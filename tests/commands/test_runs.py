"""The list of runs: what is kept and why, how each ended, what they differ in."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cnnctl.config.writing import dump
from tests.conftest import Cli, environment, invoke
from tests.warm import Process

CONFIG: dict[str, Any] = {
    "seed": 3,
    "data": {"validation": 0.1},
    "optimizer": {"lr": 0.05},
    "train": {"epochs": 30, "monitor": "accuracy"},
}


def write_run(path: Path, *rows: dict[str, Any], config: Any = CONFIG, result: Any = None) -> None:
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(dump(config), encoding="utf-8")
    numbered = [{"epoch": epoch, "seconds": 0.5, **row} for epoch, row in enumerate(rows, 1)]
    text = "".join(json.dumps(row) + "\n" for row in numbered)
    (path / "metrics.jsonl").write_text(text, encoding="utf-8")
    if result:
        (path / "result.json").write_text(json.dumps(result), encoding="utf-8")


def listed(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(invoke("runs", folder, "--json").stdout)
    return found


def test_the_epoch_that_is_kept_is_shown(tmp_path: Path) -> None:
    write_run(
        tmp_path / "größe",
        {"train_loss": 0.6, "val_loss": 0.5, "val_accuracy": 0.75, "kept": True},
        {"train_loss": 0.4, "val_loss": 0.25, "val_accuracy": 0.5, "kept": False},
        result={"state": "finished", "test": {"loss": 0.75, "accuracy": 0.625}},
    )
    (tmp_path / "größe" / "config.source.yaml").write_text(
        "# overrides: optimizer.lr=0.05 'name=a b'\ndata: digits\n", encoding="utf-8"
    )
    assert listed(tmp_path) == [
        {
            "run": "größe",
            "state": "finished",
            "epochs": 2,
            "of": 30,
            "kept": 1,
            "kept_because": "the best accuracy on the validation split",
            "split": "val",
            "loss": 0.5,
            "accuracy": 0.75,
            "test": {"loss": 0.75, "accuracy": 0.625},
            "lr": 0.05,
            "seed": 3,
            "overrides": ["optimizer.lr=0.05", "name=a b"],
            "seconds": 1.0,
            "damaged_lines": 0,
        }
    ]
    heading, row = invoke("runs", tmp_path).stdout.splitlines()
    words = "run state epochs kept split loss accuracy test lr seed seconds overrides"
    assert heading.split() == words.split()
    shown = "größe finished 2/30 1 val 0.5000 75.00% 62.50% 0.05 3 1.0 optimizer.lr=0.05 'name=a b'"
    assert row.split() == shown.split()


def test_without_a_validation_split_the_last_epoch_is_kept(tmp_path: Path) -> None:
    rows = [{"train_loss": loss, "kept": True} for loss in (0.2432, 5.5016)]
    write_run(tmp_path / "house", *rows, config={**CONFIG, "data": {"validation": 0.0}})
    (run,) = listed(tmp_path)
    assert (run["kept"], run["split"], run["loss"]) == (2, "train", 5.5016)
    assert run["kept_because"] == "the last, without a validation split"


@pytest.mark.parametrize("validation", ["0", "0.1"])
def test_train_and_runs_say_the_same(tiny: Path, cli: Cli, validation: str) -> None:
    options = ("optimizer.lr=0.9", "train.epochs=6", f"data.validation={validation}")
    done = cli("train", tiny, *options)
    (run,) = json.loads(cli("runs", "--json").stdout)
    accuracy = f"accuracy {run['accuracy']:.2%}"
    if validation == "0":
        assert run["kept"] == 6
        kept = "no validation split; kept the last epoch, 6"
        assert f"\n{kept}: training {accuracy}\n" in done.stdout
    else:
        assert f"\nbest epoch {run['kept']}: validation {accuracy}\n" in done.stdout
    test = run["test"]
    assert f"\ntest: loss {test['loss']:.4f}, accuracy {test['accuracy']:.2%}\n" in done.stdout
    assert (run["state"], run["epochs"], run["of"]) == ("finished", 6, 6)
    assert run["overrides"] == list(options)


def test_the_numbers_of_a_name_are_in_order_and_what_is_alike_is_left_out(tmp_path: Path) -> None:
    for name in ("lenet-10", "lenet-2", "lenet", "a1"):
        write_run(tmp_path / name, {"train_loss": 1.0, "kept": True})
    assert [run["run"] for run in listed(tmp_path)] == ["a1", "lenet", "lenet-2", "lenet-10"]
    heading = invoke("runs", tmp_path).stdout.splitlines()[0]
    assert heading.split() == ["run", "state", "epochs", "kept", "loss", "seconds"]
    write_run(tmp_path / "other", config={**CONFIG, "seed": 4})
    assert "seed" in invoke("runs", tmp_path).stdout.splitlines()[0]


def test_a_run_that_diverged_says_so(tiny: Path, cli: Cli) -> None:
    options = ("optimizer.lr=1e30", "train.epochs=3")
    assert cli("train", tiny, *options).returncode == 7
    (run,) = json.loads(cli("runs", "--json").stdout)
    assert (run["state"], run["test"]) == ("diverged", None)
    result = json.loads((tiny.parent / "runs" / "tiny" / "result.json").read_text())
    assert result["fault"].startswith("the loss is not finite")


def test_running_stopped_and_killed_are_told_apart(tiny: Path, cli: Cli) -> None:
    def state() -> str:
        (run,) = json.loads(cli("runs", "--json").stdout)
        return str(run["state"])

    metrics = tiny.parent / "runs" / "tiny" / "metrics.jsonl"
    states = []
    for number in (signal.SIGKILL, signal.SIGTERM):
        lines = len(metrics.read_text().splitlines()) if metrics.exists() else 0
        words = ["--resume", "train.epochs=100000"] if lines else ["train.epochs=100000"]
        process = Process(["train", str(tiny), *words], cwd=tiny.parent, env=environment())
        while process.poll() is None and (
            not metrics.exists() or len(metrics.read_text().splitlines()) < lines + 3
        ):
            pass
        states.append(state())
        process.send_signal(number)
        process.wait()
        states.append(state())
    assert states == ["running", "killed", "running", "stopped"]


@pytest.mark.parametrize(
    ("name", "content", "is_listed"),
    [
        ("metrics.jsonl", b"\xff\n\0\n{\n", True),
        ("result.json", b"\xff", True),
        ("config.source.yaml", b"# overrides: 'a", True),
        ("config.yaml", b"- [", False),
        ("config.yaml", b"3", True),
    ],
)
def test_a_damaged_run_does_not_hide_the_others(
    tmp_path: Path, name: str, content: bytes, is_listed: bool
) -> None:
    for run in ("damaged", "sound"):
        write_run(tmp_path / run, {"train_loss": 1.0, "kept": True})
    (tmp_path / "damaged" / name).write_bytes(content)
    done = invoke("runs", tmp_path, "--json")
    assert done.exit_code == 0
    names = [run["run"] for run in json.loads(done.stdout)]
    assert names == (["damaged", "sound"] if is_listed else ["sound"])
    assert ("config.yaml" in done.stderr) is not is_listed
    assert invoke("runs", tmp_path).exit_code == 0


def test_a_narrow_terminal_shows_whole_columns(tmp_path: Path) -> None:
    for name in ("lenet", "another-network"):
        row = {"val_loss": 0.5, "val_accuracy": 0.75, "kept": True}
        write_run(tmp_path / name, row, result={"state": "finished"})
        source = "# overrides: optimizer.lr=0.05 train.epochs=3 regularization.l2=0.001\n"
        (tmp_path / name / "config.source.yaml").write_text(source, encoding="utf-8")
    for width in (40, 60, 80, 120):
        lines = invoke("runs", tmp_path, COLUMNS=str(width)).stdout.splitlines()
        assert max(map(len, lines)) <= width
        assert {"run", "state", "epochs", "accuracy"} <= set(lines[0].split())
        assert sum("75.00%" in line for line in lines) == 2


def test_no_runs_are_reported(tmp_path: Path) -> None:
    assert invoke("runs", tmp_path).stdout == f"no runs in {tmp_path}\n"
    assert invoke("runs", tmp_path / "nowhere").stdout == f"no runs in {tmp_path / 'nowhere'}\n"


def test_listing_files_needs_no_torch(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "one", {"train_loss": 1.0, "kept": True})
    program = "import sys; from cnnctl.cli import app; app(['runs'], standalone_mode=False)"
    program += "; print('torch' in sys.modules)"
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
