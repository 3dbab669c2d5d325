"""Writes a training to its run folder: checkpoints, settings, metrics, events."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from tensorboard.compat.proto.summary_pb2 import Summary

from cnnctl.checkpoint import Tensors, load
from cnnctl.run_files import EpochMetrics
from cnnctl.run_folder import RunFolder
from cnnctl.training.event_file import EventFile
from cnnctl.training.observers import Observer
from cnnctl.training.run import Counters, Run
from cnnctl.training.state import capture_best, capture_last
from cnnctl.training.stores import CheckpointStore


class FolderStore(CheckpointStore):
    """The checkpoints of a run folder, from which a killed run resumes."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def save_best(self, run: Run) -> None:
        """Replace best.safetensors."""
        self.folder.save_best(capture_best(run))

    def save_last(self, run: Run, random: Tensors) -> None:
        """Replace last.safetensors."""
        self.folder.save_last(capture_last(run, random))

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

    def planned(self, run: Run) -> None:
        """Record the planned steps."""
        self.folder.write_config(run.experiment.plain())


class Snapshots(Observer):
    """The weights of every few epochs, the initial and the last ones."""

    run: Run

    def __init__(self, folder: RunFolder, *, interval: int) -> None:
        self.folder, self.interval = folder, interval

    def resumed(self, counters: Counters) -> None:
        """Drop those of repeated epochs."""
        self.folder.keep_snapshots(through_epoch=counters.epoch)

    def epoch_began(self, run: Run) -> None:
        """Keep the initial weights."""
        self.run = run
        if not run.counters.step:
            self._save()

    def epoch_ended(self, row: EpochMetrics) -> None:
        """Keep the weights, if it is time."""
        if row["epoch"] % self.interval == 0 or self.run.is_finished:
            self._save()

    def _save(self) -> None:
        self.folder.save_snapshot(capture_best(self.run), epoch=self.run.counters.epoch)


class MetricsFile(Observer):
    """One line per epoch in metrics.jsonl, from which everything can be plotted."""

    def __init__(self, folder: RunFolder, console: Console) -> None:
        self.folder = folder
        self.console = console

    def resumed(self, counters: Counters) -> None:
        """Drop the lines of repeated epochs, and report how many were invalid."""
        damaged = self.folder.keep_metrics(through_epoch=counters.epoch)
        report_damaged(self.console, self.folder.metrics, damaged)

    def epoch_ended(self, row: EpochMetrics) -> None:
        """Append the line."""
        self.folder.append_metrics(row)


class TensorBoard(Observer):
    """The same numbers as an event file."""

    def __init__(self, folder: RunFolder) -> None:
        self.events = EventFile(folder)

    def resumed(self, counters: Counters) -> None:
        """Hide the events of later epochs, which a killed run may have left."""
        self.events.hide(start=counters.epoch + 1)

    def epoch_ended(self, row: EpochMetrics) -> None:
        """Write every number of the row."""
        numbers = {name: value for name, value in row.items() if name not in ("epoch", "kept")}
        values = [Summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]
        self.events.add(values, step=row["epoch"])

    def close(self) -> None:
        """Close the event file."""
        self.events.close()


def report_damaged(console: Console, file: Path, lines: int) -> None:
    """Print how many invalid lines of a file were dropped, if any."""
    if lines:
        dropped = "1 invalid line" if lines == 1 else f"{lines} invalid lines"
        console.print(f"{file.name}: dropped {dropped}", markup=False)
