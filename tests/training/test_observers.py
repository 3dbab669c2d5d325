"""metrics.jsonl and the event files say the same, and a reader gets them whole."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from cnnctl import run_folder
from cnnctl.errors import ExitCode, FaultError
from cnnctl.run_files import EpochMetrics, read_metrics
from cnnctl.run_folder import RunFolder
from cnnctl.training.recording import MetricsFile, TensorBoard
from cnnctl.training.run import Counters


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return run_folder.create(tmp_path, "run")


def row(epoch: int, loss: float = 0.5) -> EpochMetrics:
    return {"epoch": epoch, "step": 10 * epoch, "lr": 0.1, "train_loss": loss, "seconds": 0.25}


def events(folder: RunFolder) -> dict[str, dict[int, float]]:
    """What TensorBoard shows: for every tag its value in each epoch."""
    reader: Any = EventAccumulator(str(folder.tensorboard))
    reader.Reload()
    tags = reader.Tags()["scalars"]
    return {tag: {each.step: each.value for each in reader.Scalars(tag)} for tag in tags}


def test_tensorboard_reads_every_number_of_every_epoch(folder: RunFolder) -> None:
    board = TensorBoard(folder)
    board.epoch_ended(row(1, 0.5))
    board.epoch_ended(row(2, 0.25))
    board.close()
    found = events(folder)
    assert found.keys() == {"step", "lr", "train_loss", "seconds"}
    assert found["train_loss"] == {1: 0.5, 2: 0.25}
    assert found["step"] == {1: 10, 2: 20}


def test_an_epoch_is_on_the_disk_when_it_ended(folder: RunFolder) -> None:
    board, metrics = TensorBoard(folder), MetricsFile(folder, Console(quiet=True))
    for observer in (board, metrics):
        observer.epoch_ended(row(1))
    assert events(folder)["train_loss"] == {1: 0.5}
    assert read_metrics(folder.path).rows == [row(1)]


def test_a_resumed_run_hides_the_events_it_repeats(folder: RunFolder) -> None:
    killed = TensorBoard(folder)
    for epoch in (1, 2, 3):
        killed.epoch_ended(row(epoch, 1.0))
    resumed = TensorBoard(folder)
    resumed.resumed(Counters(epoch=2))
    for epoch in (3, 4):
        resumed.epoch_ended(row(epoch, 0.5))
    assert events(folder)["train_loss"] == {1: 1.0, 2: 1.0, 3: 0.5, 4: 0.5}


def test_events_that_a_killed_run_never_repeats_are_hidden_at_once(folder: RunFolder) -> None:
    killed = TensorBoard(folder)
    for epoch in (1, 2):
        killed.epoch_ended(row(epoch))
    TensorBoard(folder).resumed(Counters(epoch=1))
    assert events(folder)["train_loss"] == {1: 0.5}


def test_a_disk_that_is_full_is_a_fault_and_no_thread_dies_of_it(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = TensorBoard(folder)

    def refuse(data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(board.events.records, "write", refuse)
    with pytest.raises(FaultError) as caught:
        board.epoch_ended(row(1))
    assert caught.value.exit_code is ExitCode.STORAGE
    assert "No space left on device\n    free some space" in str(caught.value)
    board.close()
