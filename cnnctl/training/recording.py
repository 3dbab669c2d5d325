"""Writes a training to its run folder: checkpoints, settings, metrics, events."""

from __future__ import annotations

import os
import time

from rich.console import Console
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from cnnctl.checkpoint import Tensors, load
from cnnctl.run_files import EpochMetrics
from cnnctl.run_folder import RunFolder
from cnnctl.storage import storing
from cnnctl.training.observers import Observer
from cnnctl.training.run import Run
from cnnctl.training.state import capture_best, capture_last
from cnnctl.training.training import CheckpointStore


class FolderStore(CheckpointStore):
    """The checkpoints of a run folder, from which a killed run resumes."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def save_best(self, run: Run) -> None:
        """Replace best.safetensors."""
        self.folder.save_best(capture_best(run))

    def save_last(self, run: Run) -> None:
        """Replace last.safetensors."""
        self.folder.save_last(capture_last(run))

    def best_weights(self) -> Tensors:
        """The weights in best.safetensors."""
        return load(self.folder.best).weights


class ConfigFile(Observer):
    """Keeps config.yaml up to date."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def compiling_failed(self, run: Run, reason: str) -> None:
        """Record that the run continues uncompiled."""
        self.folder.write_config(run.experiment.plain())


class MetricsFile(Observer):
    """One line per epoch in metrics.jsonl, from which everything can be plotted."""

    def __init__(self, folder: RunFolder, console: Console) -> None:
        self.folder = folder
        self.console = console

    def resumed(self, through_epoch: int) -> None:
        """Drop the lines of repeated epochs, and report how many were invalid."""
        if damaged := self.folder.keep_metrics(through_epoch=through_epoch):
            lines = "1 invalid line" if damaged == 1 else f"{damaged} invalid lines"
            self.console.print(f"metrics.jsonl: dropped {lines}", markup=False)

    def epoch_ended(self, row: EpochMetrics) -> None:
        """Append the line."""
        self.folder.append_metrics(row)


class TensorBoard(Observer):
    """The same numbers as an event file.

    torch's SummaryWriter writes from its own thread, where a full disk ends in a traceback.
    """

    def __init__(self, folder: RunFolder) -> None:
        name = f"events.out.tfevents.{time.time_ns()}.{os.getpid()}"
        self.path = folder.own("tensorboard", name)
        with storing(self.path):
            self.path.parent.mkdir(exist_ok=True)
            self.file = self.path.open("xb")
        self.records = RecordWriter(self.file)
        self.write(Event(file_version="brain.Event:2"))

    def resumed(self, through_epoch: int) -> None:
        """Hide the events of later epochs, which a killed run may have left."""
        start = SessionLog(status=SessionLog.START)
        self.write(Event(step=through_epoch + 1, session_log=start))

    def epoch_ended(self, row: EpochMetrics) -> None:
        """Write every number of the row."""
        numbers = {name: value for name, value in row.items() if name not in ("epoch", "kept")}
        values = [Summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]
        self.write(Event(step=row["epoch"], summary=Summary(value=values)))

    def write(self, event: Event) -> None:
        """Append one event, so that a reader sees it at once."""
        event.wall_time = time.time()
        with storing(self.path):
            self.records.write(event.SerializeToString())
            self.file.flush()

    def close(self) -> None:
        """Close the event file."""
        with storing(self.path):
            self.file.close()
