"""The interface for following a training."""

from __future__ import annotations

from collections.abc import Sequence

from cnnctl.data.device_store import Batch
from cnnctl.run_files import EpochMetrics
from cnnctl.training.run import Counters, Run


class Observer:
    """Follows a training without changing it; every method does nothing by default."""

    def resumed(self, counters: Counters) -> None:
        """The training resumes from here; records of later epochs and steps are invalid."""

    def epoch_began(self, run: Run) -> None:
        """Called before the first step of an epoch, or the next step of a resumed epoch."""

    def step_began(self, run: Run, batches: Sequence[Batch]) -> None:
        """Called before an optimizer step, with its batches."""

    def stepped(self, run: Run) -> None:
        """Called after an optimizer step. Must not wait for the device at every call."""

    def compiling_failed(self, run: Run, reason: str) -> None:
        """Called if compiling fails; the training continues, and its experiment records that."""

    def planned(self, run: Run) -> None:
        """Called if another number of steps is planned; the run's experiment records that."""

    def steps_ended(self, run: Run) -> None:
        """Called after the last step of an epoch, before validation and saving."""

    def epoch_ended(self, row: EpochMetrics) -> None:
        """Called after an epoch, with its metrics as in metrics.jsonl."""

    def saving(self) -> None:
        """Called before the state is saved, from which a killed run resumes: write what waits."""

    def remarks(self, run: Run) -> Sequence[str]:
        """Called when the training has ended: lines about it for its user, and for its record."""
        return ()

    def close(self) -> None:
        """Called when the training has ended, or was stopped."""
