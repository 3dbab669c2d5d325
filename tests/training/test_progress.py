"""What people see of a training."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch

from cnnctl import run_folder
from cnnctl.console import Screen
from cnnctl.run_files import EpochMetrics
from cnnctl.training.pace import Pace
from cnnctl.training.progress import EpochLines, LiveBar, epoch_line, print_result
from cnnctl.training.result import TrainingResult
from cnnctl.training.run import Run
from tests.training.conftest import run_of

ROW: EpochMetrics = {
    "epoch": 3,
    "step": 63,
    "lr": 0.05,
    "train_loss": 0.43214,
    "train_accuracy": 0.912,
    "val_loss": 0.3911,
    "val_accuracy": 0.931,
    "samples_per_second": 12345.4,
    "seconds": 0.1,
}


def moons(**sections: Any) -> Run:
    plain = {"data": {"name": "moons"}, "model": {"layers": [{"linear": "classes"}]}, **sections}
    return run_of(plain)


def terminal(*, width: int = 100, colors: bool = True) -> Screen:
    return Screen(
        file=StringIO(),
        force_terminal=True,
        width=width,
        color_system="standard" if colors else None,
        _environ={},
    )


def written(console: Screen) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def plain(text: str) -> str:
    """The text without what moves the cursor and colours it."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def test_an_epoch_is_one_line() -> None:
    expected = "epoch  3/20  train 0.4321  91.20%  val 0.3911  93.10%  lr 0.05  12,345 samples/s"
    assert epoch_line(ROW, epochs=20).plain == expected


def test_a_regression_without_validation_has_a_shorter_line() -> None:
    row = {k: v for k, v in ROW.items() if "accuracy" not in k and "val" not in k}
    expected = "epoch 3/5  train 0.4321  lr 0.05  12,345 samples/s"
    assert epoch_line(row, epochs=5).plain == expected


def test_where_there_is_no_terminal_an_epoch_is_a_line_of_plain_text() -> None:
    console = Screen(file=StringIO(), width=40, _environ={})
    EpochLines(console, epochs=20).epoch_ended(ROW)
    text = written(console)
    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert text.endswith("12,345 samples/s\n")


def drawn(console: Screen, run: Run, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bar after two redraws, 5 and 10 batches into the first of two epochs."""
    clock = iter([100.0, 101.0])
    monkeypatch.setattr("cnnctl.training.progress.time.perf_counter", lambda: next(clock))
    bar = LiveBar(console, epochs=2, batches_per_epoch=20)
    for _ in range(2):
        outputs = torch.tensor([[0.0, 1.0]]).repeat(300, 1)
        targets = (torch.arange(300) < 240).long()
        run.tally.add(torch.tensor(150.0), 300, outputs, targets)
        run.counters.batch += 5
        bar.stepped(run)
    bar.close()
    return plain(written(console))


def test_the_bar_shows_loss_accuracy_speed_and_the_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = drawn(terminal(), moons(), monkeypatch)
    assert "epoch 1/2" in text
    assert "10/40" in text
    assert "loss 0.5000  accuracy 80.00%  300 samples/s" in text
    assert re.search(r"\d:\d\d:\d\d", text)


def test_the_bar_of_a_regression_has_no_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = {"layers": [{"linear": 1}]}
    run = run_of({"data": {"name": "diabetes"}, "model": layers, "loss": "mse"}, input=(10,))
    text = drawn(terminal(), run, monkeypatch)
    assert "loss 0.5000  300 samples/s" in text
    assert "accuracy" not in text


@pytest.mark.parametrize("width", [20, 40, 60])
def test_a_narrow_terminal_gets_a_bar_of_one_line(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = drawn(terminal(width=width), moons(), monkeypatch)
    assert all(len(line) <= width for line in re.split(r"[\r\n]+", text))
    assert "epoch 1/2" in text


def test_the_bar_is_redrawn_a_few_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 100.1, 100.2, 100.3])
    monkeypatch.setattr("cnnctl.training.progress.time.perf_counter", lambda: next(clock))
    run, bar = moons(), LiveBar(terminal(), epochs=2, batches_per_epoch=20)
    shown = []
    for _ in range(4):
        run.counters.batch += 1
        bar.stepped(run)
        shown.append(bar.progress.tasks[0].completed)
    bar.close()
    assert shown == [1, 1, 1, 4]


def test_a_resumed_run_continues_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    run = moons()
    run.counters.epoch, run.counters.batch = 1, 5
    console = terminal()
    text = drawn(console, run, monkeypatch)
    assert "epoch 2/2" in text
    assert "35/40" in text


def test_the_cursor_is_there_again_when_the_bar_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    console = terminal()
    drawn(console, moons(), monkeypatch)
    hidden, shown = (written(console).rfind(code) for code in ("\x1b[?25l", "\x1b[?25h"))
    assert 0 <= hidden < shown


def concluded(
    run: Run,
    folder: Path,
    *,
    test: dict[str, float] | None,
    data: Path | None,
    remarks: Sequence[str] = (),
) -> str:
    console = Screen(file=StringIO(), width=40, _environ={})
    home = run_folder.create(folder, "größe 1")
    print_result(console, TrainingResult(run, test, remarks), home, data=data)
    return written(console)


def test_the_end_says_result_checkpoint_and_what_to_type_next(tmp_path: Path) -> None:
    run = moons(train={"epochs": 5})
    run.counters.best, run.counters.best_epoch, run.counters.epoch = 0.9375, 4, 5
    text = concluded(run, tmp_path, test={"loss": 0.25, "accuracy": 0.9}, data=None)
    folder = tmp_path / "größe 1"
    assert text.splitlines() == [
        "best epoch 4: validation accuracy 93.75%",
        "test: loss 0.2500, accuracy 90.00%",
        f"checkpoint: {folder}/checkpoints/best.safetensors",
        f"next: cnnctl eval '{folder}'",
    ]


def test_a_finished_run_without_a_test_split_says_all_but_a_test_result(tmp_path: Path) -> None:
    run = moons(train={"epochs": 5})
    run.counters.best, run.counters.best_epoch, run.counters.epoch = 0.9375, 4, 5
    text = concluded(run, tmp_path, test=None, data=None)
    folder = tmp_path / "größe 1"
    assert text.splitlines() == [
        "best epoch 4: validation accuracy 93.75%",
        f"checkpoint: {folder}/checkpoints/best.safetensors",
        f"next: cnnctl eval '{folder}'",
    ]


def test_a_run_that_went_wrong_is_to_be_diagnosed_next(tmp_path: Path) -> None:
    run = moons(train={"epochs": 5})
    run.counters.best, run.counters.epoch = 0.5, 5
    text = concluded(run, tmp_path, test=None, data=None, remarks=["warning: units are dead"])
    assert text.splitlines()[1:] == [
        "warning: units are dead",
        f"checkpoint: {tmp_path}/größe 1/checkpoints/best.safetensors",
        f"next: cnnctl diagnose '{tmp_path}/größe 1'",
    ]


def test_what_to_type_next_names_data_and_plugins_again(tmp_path: Path) -> None:
    run = moons(plugins=["/home/me/my layers.py"])
    text = concluded(run, tmp_path, test=None, data=Path("my data"))
    command = f"cnnctl train --resume '{tmp_path / 'größe 1'}'"
    options = "--plugin '/home/me/my layers.py' --data 'my data'"
    assert text.splitlines()[-1] == f"resume with: {command} {options}"


def test_a_run_that_was_stopped_says_where_it_is(tmp_path: Path) -> None:
    run = moons()
    run.counters.epoch, run.counters.batch, run.counters.step = 2, 7, 47
    text = concluded(run, tmp_path, test=None, data=None)
    assert "stopped after step 47, in epoch 3; saved " in text


def test_the_rate_counts_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the epochs 99 s pass, in which nothing is trained."""
    clock = iter([0.0, 1.0, 100.0])
    monkeypatch.setattr("cnnctl.training.pace.time.perf_counter", lambda: next(clock))
    pace = Pace()
    pace.go_on(0)
    pace.pause(500)
    pace.go_on(0)
    assert pace.read(500, now=101.0) == 500
    assert pace.read(900, now=102.0) == 400


WIDE_ROW: EpochMetrics = {
    "epoch": 3,
    "step": 63,
    "lr": 0.000123,
    "train_loss": 43.214,
    "train_digit_accuracy": 0.912,
    "train_parity_accuracy": 0.912,
    "val_loss": 39.11,
    "val_digit_accuracy": 0.931,
    "val_parity_accuracy": 0.931,
    "samples_per_second": 1234567.4,
    "seconds": 0.1,
}


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("row", [ROW, WIDE_ROW, {**ROW, "train_loss": 12.3, "val_loss": 10.1}])
def test_an_epoch_is_one_line_of_a_terminal(row: EpochMetrics, width: int) -> None:
    console = terminal(width=width, colors=False)
    EpochLines(console, epochs=20).epoch_ended(row)
    [line] = plain(written(console)).splitlines()
    assert len(line) <= width
    assert line.startswith("epoch  3/20  train ")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_bar_keeps_the_number_of_steps(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn(terminal(width=width), moons(), monkeypatch)
    lines = re.split(r"[\r\n]+", text)
    assert all(len(line) <= width for line in lines)
    assert any("10/40" in line and "loss 0.5000" in line for line in lines)
