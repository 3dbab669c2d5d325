"""Who is told how a training goes: the screen, metrics.jsonl, TensorBoard."""

from __future__ import annotations

from typing import Protocol

from torch.utils.tensorboard import SummaryWriter

from cnnctl.run_folder import Row, RunFolder
from cnnctl.storage import storing
from cnnctl.training.run import Run


class Observer(Protocol):
    """Is told of every step and every epoch; changes nothing."""

    def stepped(self, run: Run) -> None:
        """A step of the optimizer is done. Must not wait for the device at every call."""

    def epoch_ended(self, row: Row) -> None:
        """An epoch is done; its metrics, as they stand in metrics.jsonl."""

    def close(self) -> None:
        """The training ended, or was stopped."""


class MetricsFile:
    """One line an epoch in metrics.jsonl, from which everything else can be drawn."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    def stepped(self, run: Run) -> None:
        """Nothing: only epochs are written."""

    def epoch_ended(self, row: Row) -> None:
        """Append the line."""
        self.folder.append_metrics(row)

    def close(self) -> None:
        """Nothing is held open."""


class TensorBoard:
    """The same numbers as event files."""

    def __init__(self, folder: RunFolder, *, first_epoch: int) -> None:
        self.path = folder.tensorboard
        # events from this epoch on, of a run that was killed, are hidden
        with storing(self.path):
            self.writer = SummaryWriter(str(self.path), purge_step=first_epoch)

    def stepped(self, run: Run) -> None:
        """Nothing: only epochs are written."""

    def epoch_ended(self, row: Row) -> None:
        """Write every number of the row."""
        with storing(self.path):
            for name, value in row.items():
                if isinstance(value, int | float) and name != "epoch":
                    self.writer.add_scalar(name, value, row["epoch"])
            self.writer.flush()

    def close(self) -> None:
        """Close the event file."""
        with storing(self.path):
            self.writer.close()
