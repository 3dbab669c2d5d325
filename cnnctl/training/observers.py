"""What a training tells to those who follow it."""

from __future__ import annotations

from cnnctl.run_files import EpochMetrics
from cnnctl.training.run import Run


class Observer:
    """Follows a training: changes nothing in it, and by itself does nothing."""

    def resumed(self, through_epoch: int) -> None:
        """The training goes on after this epoch; what was noted of later ones is void."""

    def epoch_began(self, run: Run) -> None:
        """The first step of an epoch, or the next one of a resumed epoch, is about to be taken."""

    def stepped(self, run: Run) -> None:
        """A step of the optimizer is done. Must not wait for the device at every call."""

    def compiling_failed(self, run: Run, reason: str) -> None:
        """The network could not be compiled; the training goes on, and its experiment says so."""

    def steps_ended(self, run: Run) -> None:
        """The steps of an epoch are done; validating and saving come next."""

    def epoch_ended(self, row: EpochMetrics) -> None:
        """An epoch is done; its metrics, as they stand in metrics.jsonl."""

    def close(self) -> None:
        """The training ended, or was stopped."""
