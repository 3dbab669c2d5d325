"""Who is told how a training goes: the screen, metrics.jsonl, TensorBoard."""

from __future__ import annotations

import os
import time

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from cnnctl.run_files import EpochMetrics
from cnnctl.run_folder import RunFolder
from cnnctl.storage import storing
from cnnctl.training.run import Run


class Observer:
    """Is told of every step and every epoch; changes nothing, and by itself does nothing."""

    def epoch_began(self, run: Run) -> None:
        """The first step of an epoch, or the next one of a resumed epoch, is about to be taken."""

    def stepped(self, run: Run) -> None:
        """A step of the optimizer is done. Must not wait for the device at every call."""

    def steps_ended(self, run: Run) -> None:
        """The steps of an epoch are done; validating and saving come next."""

    def epoch_ended(self, row: EpochMetrics) -> None:
        """An epoch is done; its metrics, as they stand in metrics.jsonl."""

    def close(self) -> None:
        """The training ended, or was stopped."""


class MetricsFile(Observer):
    """One line an epoch in metrics.jsonl, from which everything else can be drawn."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def epoch_ended(self, row: EpochMetrics) -> None:
        """Append the line."""
        self.folder.append_metrics(row)


class TensorBoard(Observer):
    """The same numbers as an event file.

    torch's SummaryWriter writes from a thread of its own, where a full disk ends in a traceback.
    """

    def __init__(self, folder: RunFolder, *, first_epoch: int) -> None:
        name = f"events.out.tfevents.{time.time_ns()}.{os.getpid()}"
        self.path = folder.own("tensorboard", name)
        with storing(self.path):
            self.path.parent.mkdir(exist_ok=True)
            self.file = self.path.open("xb")
        self.records = RecordWriter(self.file)
        self.write(Event(file_version="brain.Event:2"))
        # hides the events from this epoch on, of a run that was killed
        self.write(Event(step=first_epoch, session_log=SessionLog(status=SessionLog.START)))

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
