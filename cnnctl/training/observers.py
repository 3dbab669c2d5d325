"""The interface for following a training."""

from __future__ import annotations

from cnnctl.run_files import EpochMetrics
from cnnctl.training.run import Run


class Observer:
    """Follows a training without changing it; every method does nothing by default."""

    def resumed(self, through_epoch: int) -> None:
        """The training resumes after this epoch; records of later epochs are invalid."""

    def epoch_began(self, run: Run) -> None:
        """Called before the first step of an epoch, or the next step of a resumed epoch."""

    def stepped(self, run: Run) -> None:
        """Called after an optimizer step. Must not wait for the device at every call."""

    def compiling_failed(self, run: Run, reason: str) -> None:
        """Called if compiling fails; the training continues, and its experiment records that."""

    def steps_ended(self, run: Run) -> None:
        """Called after the last step of an epoch, before validation and saving."""

    def epoch_ended(self, row: EpochMetrics) -> None:
        """Called after an epoch, with its metrics as in metrics.jsonl."""

    def close(self) -> None:
        """Called when the training has ended, or was stopped."""
