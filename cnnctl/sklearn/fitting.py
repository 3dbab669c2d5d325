"""Training in memory: no run folder, no console."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from cnnctl.checkpoint import Checkpoint, load_weights
from cnnctl.device import settings_restored
from cnnctl.experiment import Loaded, Thresholds, starting_weights
from cnnctl.run_files import EpochMetrics
from cnnctl.training.compile_trial import try_compile
from cnnctl.training.observers import Observer
from cnnctl.training.progress import EpochLines
from cnnctl.training.run import Counters, Run
from cnnctl.training.setup import set_up
from cnnctl.training.state import capture_best
from cnnctl.training.stores import CheckpointStore
from cnnctl.training.training import Training


class History(Observer):
    """The metrics of every epoch."""

    def __init__(self) -> None:
        self.rows: list[EpochMetrics] = []

    def epoch_ended(self, row: EpochMetrics) -> None:
        """Keep them."""
        self.rows.append(row)


class BestInMemory(CheckpointStore):
    """Keeps the best checkpoint in memory."""

    _counters: Counters
    _thresholds: Thresholds

    def save_best(self, run: Run) -> None:
        """Keep the weights, and what a checkpoint tells of their epoch."""
        super().save_best(run)
        self._counters, self._thresholds = replace(run.counters), run.thresholds

    def best(self, run: Run) -> Checkpoint:
        """The best checkpoint of a run that has ended."""
        load_weights(run.evaluated, self.best_weights())
        run.counters, run.thresholds = self._counters, self._thresholds
        return capture_best(run)


def trained_in_memory(
    loaded: Loaded, *, verbose: bool = False
) -> tuple[Checkpoint, list[EpochMetrics]]:
    """The best checkpoint of a new training, and the metrics of every epoch.

    Random states and settings of torch are as before afterwards.

    Raises:
        FaultError: bad data, a loss that is not finite, out of memory.
    """
    history, store = History(), BestInMemory()
    observers: list[Observer] = [history]
    if verbose:
        observers.append(EpochLines(Console(), epochs=loaded.experiment.train.epochs))
    with settings_restored():
        weights = starting_weights(loaded)
        setup = set_up(loaded)
        with setup.memory_faults():
            if setup.experiment.train.compile == "measure":
                setup = setup.with_compile(try_compile(setup).compile)
            training = Training.of(setup, store=store, observers=observers)
            training.begin(weights)
            training.fit()
            return store.best(training.run), history.rows
