"""The loop: epochs of steps, and what happens at their ends."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isfinite

from cnnctl.data.loader import Batches
from cnnctl.evaluation.outputs import collect_outputs, evaluation_batch
from cnnctl.evaluation.scores import by_head, score
from cnnctl.metrics import Accuracy, watched
from cnnctl.run_files import EpochMetrics
from cnnctl.run_folder import RunFolder
from cnnctl.training.divergence import diverged
from cnnctl.training.observers import Observer
from cnnctl.training.run import Run, stopping_metric
from cnnctl.training.signals import StopSignals
from cnnctl.training.state import capture_best, capture_last
from cnnctl.training.step import Batch, Step


@dataclass(slots=True)
class Loop:
    """Trains a run to its end, or until it is asked to stop."""

    run: Run
    step: Step
    training: Batches
    validation: Batches | None
    folder: RunFolder
    observers: Sequence[Observer]
    signals: StopSignals
    started: float = 0.0
    """When the epoch was begun, or gone on with, by the clock."""
    samples_before: int = 0
    """Samples of the epoch that a stopped run had seen before."""

    def fit(self) -> None:
        """Train all epochs that are left; the state is saved at the end of each.

        Raises:
            FaultError: the loss is not finite, or something could not be written.
        """
        while not self.run.is_finished:
            if self.train_epoch():
                self.end_epoch()
            self.save()
            if self.signals.received is not None:
                return

    def train_epoch(self) -> bool:
        """Take the steps that are left of this epoch; false if a signal came before its end."""
        run, settings = self.run, self.run.experiment.train
        self.started, self.samples_before = time.perf_counter(), run.tally.samples
        run.begin_epoch()
        self.step = self.step.for_epoch()
        for observer in self.observers:
            observer.epoch_began(run)
        batches = self.training.epoch(run.counters.epoch, start=run.counters.batch)
        for group in grouped(batches, settings.accumulate):
            self.step(group)
            for observer in self.observers:
                observer.stepped(run)
            if run.counters.batch < len(self.training):
                if self.signals.received is not None:
                    return False
                if settings.checkpoint_every and run.counters.step % settings.checkpoint_every == 0:
                    self.save()
        return True

    def save(self) -> None:
        """Save the state, which a run that diverged does not have."""
        self.step.guard.raise_if_diverged(self.run.counters.step)
        self.folder.save_last(capture_last(self.run))

    def end_epoch(self) -> None:
        """Evaluate, adapt, keep the best, and write the epoch down."""
        run = self.run
        self.step.guard.raise_if_diverged(run.counters.step)
        row = self.measure()
        run.counters.epoch += 1
        run.counters.batch = 0
        run.tally.clear()
        run.schedule.end_epoch(row[self.named(run.experiment.scheduler.watches)])
        if run.patience is not None:
            judged = row[self.named(stopping_metric(run.experiment))]
            run.counters.stopped_early = run.patience.end_epoch(judged)
        score, loss = row[self.named(run.experiment.train.monitor)], row[self.named("loss")]
        row["kept"] = self.is_kept(score, loss)
        if row["kept"]:
            run.counters.best, run.counters.best_loss = score, loss
            run.counters.best_epoch = run.counters.epoch
            self.folder.save_best(capture_best(run))
        # the line is written before the checkpoint: a run killed in between repeats the epoch and
        # drops the line, while the other way round the line would be missing
        for observer in self.observers:
            observer.epoch_ended(row)

    def measure(self) -> EpochMetrics:
        """The metrics of the epoch that was just trained."""
        run = self.run
        seconds = time.perf_counter() - self.started
        samples = run.tally.samples - self.samples_before
        loss, shares = run.tally.read()
        for observer in self.observers:
            observer.steps_ended(run)
        row: EpochMetrics = {"epoch": run.counters.epoch + 1, "step": run.counters.step}
        row |= {"lr": run.optimizer.param_groups[0]["lr"], "train_loss": loss}
        right = by_head(Accuracy.kind, run.classifying, shares)
        row |= {f"train_{name}": share for name, share in right.items()}
        if self.validation is not None:
            found = evaluate(run, self.validation)
            row |= {f"val_{name}": value for name, value in found.items()}
        return row | {"samples_per_second": samples / seconds, "seconds": seconds}

    def named(self, metric: str) -> str:
        """A metric of the validation split, or of the training split where there is no other."""
        return f"{'train' if self.validation is None else 'val'}_{metric}"

    def is_kept(self, score: float, loss: float) -> bool:
        """Whether the epoch beats all before on the validation split.

        Without one the newest is always kept: the loss of an epoch's training is that of the
        weights before its steps, and says nothing of those after the last.
        """
        counters = self.run.counters
        if counters.best is None or counters.best_loss is None or self.validation is None:
            return True
        sign = 1 if watched(self.run.experiment.train.monitor).more_is_better else -1
        return (sign * score, -loss) > (sign * counters.best, -counters.best_loss)


def evaluate(run: Run, batches: Batches) -> dict[str, float]:
    """Loss, accuracy for classes and what is watched, of the network that a run keeps.

    Raises:
        FaultError: the loss is not finite.
    """
    in_order = batches.in_order(batch_size=evaluation_batch(run.plan))
    precision = run.experiment.train.precision
    outputs, targets = collect_outputs(run.evaluated, in_order, precision=precision)
    found = score(run.answers, outputs, targets, watched=run.watched)
    if not isfinite(found["loss"]):
        raise diverged("the evaluation loss", run.optimizer, step=run.counters.step)
    return found


def grouped(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """Lists of `size` batches, the last one perhaps shorter."""
    iterator = iter(batches)
    while group := list(islice(iterator, size)):
        yield group
