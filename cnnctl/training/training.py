"""A training: epochs of steps, and what happens at their ends.

It knows no run folder and no screen: whoever follows it is an `Observer`, and what it keeps goes to
a `CheckpointStore`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from cnnctl.checkpoint import Checkpoint, Tensors, load_weights
from cnnctl.data.loader import Batches
from cnnctl.evaluation.outputs import collect_outputs, evaluation_batch
from cnnctl.evaluation.scores import by_head, score
from cnnctl.evaluation.thresholds import measured_thresholds
from cnnctl.experiment import Task
from cnnctl.metrics import Accuracy, watched
from cnnctl.run_files import EpochMetrics
from cnnctl.training.divergence import diverged
from cnnctl.training.observers import Observer
from cnnctl.training.run import Run, stopping_metric
from cnnctl.training.settings import with_compile
from cnnctl.training.setup import Setup, SplitBatches
from cnnctl.training.state import restore, restore_random
from cnnctl.training.step import Batch, Step, make_step


class CheckpointStore:
    """Where a training keeps its states: by itself in memory, and the best weights alone."""

    _best: Tensors | None = None

    def save_best(self, run: Run) -> None:
        """Keep the weights that are evaluated, in place of those kept before."""
        weights = run.evaluated.state_dict()
        self._best = {name: tensor.detach().clone() for name, tensor in weights.items()}

    def save_last(self, run: Run) -> None:
        """Keep the state that a training could be resumed from."""

    def best_weights(self) -> Tensors:
        """The weights that were kept last."""
        assert self._best is not None, "no epoch was finished"
        return self._best


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The outcome of training."""

    run: Run
    test: dict[str, float] | None
    """Loss and accuracy of the best weights on the test split; nothing if the run was
    stopped, or if there is no test split."""

    @property
    def is_finished(self) -> bool:
        """Whether it came to its end, and was not stopped before."""
        return self.run.is_finished

    def to_json(self) -> dict[str, Any]:
        """The content of result.json."""
        state = "finished" if self.is_finished else "stopped"
        return {
            "state": state,
            "stopped_early": self.run.counters.stopped_early,
            "test": self.test,
        }


def never() -> bool:
    """Ask no training to stop."""
    return False


@dataclass(slots=True)
class Training:
    """Trains a run to its end, or until it is asked to stop.

    `begin` or `resume` comes first, then `fit`, then `result`.
    """

    run: Run
    batches: SplitBatches
    store: CheckpointStore = field(default_factory=CheckpointStore)
    observers: Sequence[Observer] = ()
    stop: Callable[[], bool] = never
    """Whether to stop, asked after every step; a step and what is saved of it are never torn."""
    step: Step = field(init=False)
    resumed_from: Checkpoint | None = field(init=False, default=None)
    started: float = 0.0
    """When the epoch was begun, or gone on with, by the clock."""
    samples_before: int = 0
    """Samples of the epoch that a stopped run had seen before."""

    def __post_init__(self) -> None:
        self.step = make_step(self.run, failed=self.go_on_uncompiled)

    @classmethod
    def of(
        cls,
        setup: Setup,
        *,
        store: CheckpointStore | None = None,
        observers: Sequence[Observer] = (),
        stop: Callable[[], bool] = never,
    ) -> Training:
        """The training of a new run."""
        return cls(setup.assemble(), setup.batches, store or CheckpointStore(), observers, stop)

    def begin(self, weights: Tensors | None = None) -> tuple[str, ...]:
        """Start at the beginning, with these weights, if any; what they lack stays as it is.

        Returns the names of what they lack.

        Raises:
            FaultError: the weights do not fit.
        """
        torch.manual_seed(self.run.experiment.seed)
        left_out = () if weights is None else self.run.take_weights(weights)
        self.store.save_last(self.run)  # from the very start there is something to resume from
        return left_out

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a state that was saved; the best weights so far are in the store.

        Raises:
            FaultError: the state does not fit.
        """
        restore(self.run, checkpoint)
        self.resumed_from = checkpoint

    def go_on_uncompiled(self, reason: str) -> None:
        """Compiling failed: the experiment says from now on that the run is not compiled."""
        self.run.experiment = with_compile(self.run.experiment, False)
        for observer in self.observers:
            observer.compiling_failed(self.run, reason)

    def fit(self) -> None:
        """Train all epochs that are left; the state is saved at the end of each.

        Raises:
            FaultError: the loss is not finite, or something could not be written.
        """
        if self.resumed_from is not None:
            for observer in self.observers:
                observer.resumed(self.run.counters.epoch)
            restore_random(self.resumed_from, self.run.device)
        while not self.run.is_finished:
            if self.train_epoch():
                self.end_epoch()
            self.save()
            if self.stop():
                return

    def train_epoch(self) -> bool:
        """Take the steps that are left of this epoch; false if asked to stop before its end."""
        run, settings = self.run, self.run.experiment.train
        self.started, self.samples_before = time.perf_counter(), run.tally.samples
        run.begin_epoch()
        self.step = self.step.for_epoch()
        for observer in self.observers:
            observer.epoch_began(run)
        batches = self.batches.train.epoch(run.counters.epoch, start=run.counters.batch)
        for group in grouped(batches, settings.accumulate):
            self.step(group)
            for observer in self.observers:
                observer.stepped(run)
            if run.counters.batch < len(self.batches.train):
                if self.stop():
                    return False
                if settings.checkpoint_every and run.counters.step % settings.checkpoint_every == 0:
                    self.save()
        return True

    def save(self) -> None:
        """Save the state, which a run that diverged does not have."""
        self.step.guard.raise_if_diverged(self.run.counters.step)
        self.store.save_last(self.run)

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
            self.store.save_best(run)
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
        if self.batches.validation is not None:
            outputs, targets = answers_to(run, self.batches.validation)
            found = scores_of(run, run.answers, outputs, targets)
            row |= {f"val_{name}": value for name, value in found.items()}
            run.thresholds = measured_thresholds(run.answers, outputs, targets)
        return row | {"samples_per_second": samples / seconds, "seconds": seconds}

    def named(self, metric: str) -> str:
        """A metric of the validation split, or of the training split where there is no other."""
        return f"{'train' if self.batches.validation is None else 'val'}_{metric}"

    def is_kept(self, score: float, loss: float) -> bool:
        """Whether the epoch beats all before on the validation split.

        Without one the newest is always kept: the loss of an epoch's training is that of the
        weights before its steps, and says nothing of those after the last.
        """
        counters = self.run.counters
        if counters.best is None or counters.best_loss is None or self.batches.validation is None:
            return True
        sign = 1 if watched(self.run.experiment.train.monitor).more_is_better else -1
        return (sign * score, -loss) > (sign * counters.best, -counters.best_loss)

    def result(self) -> TrainingResult:
        """Measure the best weights on the test split, if there is one and the run is finished.

        Raises:
            FaultError: the loss is not finite, or the weights cannot be read back.
        """
        found = None
        if self.run.is_finished and self.batches.test is not None:
            load_weights(self.run.evaluated, self.store.best_weights())
            found = evaluate(self.run, self.batches.test, tasks=self.settled_tasks())
        return TrainingResult(self.run, found)

    def settled_tasks(self) -> Sequence[Task]:
        """What the network answers, with the thresholds that the checkpoint of its weights has."""
        tasks, validation = self.run.answers, self.batches.validation
        if validation is None or not any(task.measures_thresholds for task in tasks):
            return tasks
        found = measured_thresholds(tasks, *answers_to(self.run, validation))
        return [task.with_thresholds(found) for task in tasks]


def evaluate(run: Run, batches: Batches, *, tasks: Sequence[Task]) -> dict[str, float]:
    """Measure the network that a run keeps; see `scores_of`."""
    return scores_of(run, tasks, *answers_to(run, batches))


def answers_to(run: Run, batches: Batches) -> Batch:
    """The outputs of the network that a run keeps, and the targets, for all samples."""
    in_order = batches.in_order(batch_size=evaluation_batch(run.plan))
    precision = run.experiment.train.precision
    return collect_outputs(run.evaluated, in_order, precision=precision)


def scores_of(
    run: Run, tasks: Sequence[Task], outputs: Tensor, targets: Tensor
) -> dict[str, float]:
    """Loss, accuracy of classes and labels, and what is watched.

    Raises:
        FaultError: the loss is not finite.
    """
    found = score(tasks, outputs, targets, watched=run.watched)
    if not isfinite(found["loss"]):
        raise diverged("the evaluation loss", run.optimizer, step=run.counters.step)
    return found


def grouped(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """Lists of `size` batches, the last one perhaps shorter."""
    iterator = iter(batches)
    while group := list(islice(iterator, size)):
        yield group
