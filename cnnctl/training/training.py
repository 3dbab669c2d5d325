"""Training: epochs of steps, and what happens after each.

It knows neither run folder nor console: an `Observer` follows it, and its states go to a
`CheckpointStore`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from cnnctl.checkpoint import Checkpoint, Tensors, load_weights
from cnnctl.evaluation.scores import by_head
from cnnctl.evaluation.thresholds import measured_thresholds
from cnnctl.experiment import Task
from cnnctl.metrics import Accuracy, watched
from cnnctl.run_files import EpochMetrics
from cnnctl.training.compilation import Mark
from cnnctl.training.deadline import Clock, Deadline
from cnnctl.training.observers import Observer
from cnnctl.training.result import TrainingResult
from cnnctl.training.run import Run, stopping_metric
from cnnctl.training.scoring import answers_to, evaluate, scores_of
from cnnctl.training.settings import with_compile
from cnnctl.training.setup import Setup, SplitBatches
from cnnctl.training.state import random_states, restore, restore_random, seed_rank
from cnnctl.training.step import Step, make_step
from cnnctl.training.stores import CheckpointStore

Item = TypeVar("Item")


def never() -> bool:
    """Never stop."""
    return False


@dataclass(slots=True)
class Training:
    """Trains a run to its end, or until a stop is requested.

    `begin` or `resume` comes first, then `fit`, then `result`.
    """

    run: Run
    batches: SplitBatches
    store: CheckpointStore = field(default_factory=CheckpointStore)
    observers: Sequence[Observer] = ()
    stop: Callable[[], bool] = never
    """Whether to stop; called after every step, so a step and its checkpoint stay whole."""
    clock: Clock = time.perf_counter
    """What `train.max_minutes` is measured with, in seconds."""
    step: Step = field(init=False)
    deadline: Deadline = field(init=False)
    resumed_from: Checkpoint | None = field(init=False, default=None)
    started: float = 0.0
    """The time at which the epoch was started or resumed."""
    samples_before: int = 0
    """Samples of the epoch before the run was resumed."""

    def __post_init__(self) -> None:
        self.step = make_step(self.run, failed=self.go_on_uncompiled)
        self.deadline = Deadline(self.run, self.batches, clock=self.clock)

    def mark_parts(self, mark: Mark) -> None:
        """Call `mark` from now on as each part of a step begins."""
        self.step = make_step(self.run, failed=self.go_on_uncompiled, mark=mark)

    def ask_teachers(self) -> None:
        """Compute the answers of teachers to all samples now, if nothing changes them later."""
        if self.run.distilling is not None:
            self.run.distilling.remember(self.batches.train)

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
        """Start a new run, with these weights, if any; tensors that they lack stay initialised.

        Returns the names of these tensors.

        Raises:
            FaultError: the weights do not fit.
        """
        seed_rank(self.run)
        left_out = () if weights is None else self.run.take_weights(weights)
        self.run.agree_on_weights()
        with self.deadline.timing_saves():
            self.keep()  # so that there is something to resume from the start
        return left_out

    def resume(self, checkpoint: Checkpoint) -> None:
        """Resume from a saved state; the best weights so far are in the store.

        Raises:
            FaultError: the state does not fit.
        """
        restore(self.run, checkpoint)
        self.resumed_from = checkpoint

    def go_on_uncompiled(self, reason: str) -> None:
        """Record in the experiment that compiling failed and the run is not compiled."""
        self.run.experiment = with_compile(self.run.experiment, False)
        for observer in self.observers:
            observer.compiling_failed(self.run, reason)

    def fit(self) -> None:
        """Train all remaining epochs; the state is saved after each.

        Raises:
            FaultError: the loss is not finite, or something could not be written.
        """
        self.deadline.start()
        if not self.run.is_finished:
            self.ask_teachers()
        if self.resumed_from is not None:
            for observer in self.observers:
                observer.resumed(self.run.counters)
            restore_random(self.resumed_from, self.run)
        while not self.run.is_finished:
            if self.train_epoch():
                self.end_epoch()
            if self.deadline.settled():
                self.planned()
            self.save()
            if self.is_stopped():
                return
            if self.deadline.ended_epoch():
                self.planned()

    def planned(self) -> None:
        """Tell the observers that the run is planned to take another number of steps."""
        for observer in self.observers:
            observer.planned(self.run)

    def is_stopped(self) -> bool:
        """Whether any rank was asked to stop."""
        return self.run.world.any(self.stop())

    def train_epoch(self) -> bool:
        """Take the remaining steps of this epoch; returns False if stopped before its end."""
        run, settings = self.run, self.run.experiment.train
        self.started, self.samples_before = time.perf_counter(), run.tally.samples
        run.begin_epoch()
        self.deadline.began_epoch()
        self.step = self.step.for_epoch()
        for observer in self.observers:
            observer.epoch_began(run)
        epoch, start = run.counters.epoch, run.counters.batch
        batches = grouped(self.batches.train.epoch(epoch, start=start), settings.accumulate)
        rows = grouped(self.batches.train.rows(epoch, start=start), settings.accumulate)
        for group, own_rows in zip(batches, rows, strict=True):
            for observer in self.observers:
                observer.step_began(run, group)
            self.step(group, own_rows)
            for observer in self.observers:
                observer.stepped(run)
            if self.deadline.stepped():
                self.planned()
            if run.counters.batch < len(self.batches.train):
                if run.is_at_planned_end:
                    break
                if self.is_stopped():
                    return False
                if settings.checkpoint_every and run.counters.step % settings.checkpoint_every == 0:
                    self.save()
        return True

    def save(self) -> None:
        """Save the state, unless the run has diverged."""
        self.step.guard.raise_if_diverged(self.run.counters.step)
        for observer in self.observers:
            observer.saving()
        self.deadline.note()
        self.keep()

    def keep(self) -> None:
        """Save the state of all ranks; they wait for the one that writes."""
        self.store.save_last(self.run, random_states(self.run))
        self.run.world.meet()

    def end_epoch(self) -> None:
        """Evaluate, adapt the learning rate, keep the best, and record the epoch."""
        run = self.run
        self.step.guard.raise_if_diverged(run.counters.step)
        row: EpochMetrics = run.world.share(self.measure())  # all decide on the same numbers
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
        # drops the line; in the other order, the line would be missing
        for observer in self.observers:
            observer.epoch_ended(row)

    def measure(self) -> EpochMetrics:
        """The metrics of the last epoch."""
        run = self.run
        seconds = time.perf_counter() - self.started
        samples = run.tally.samples - self.samples_before
        loss, shares = run.tally.read()
        run.agree_on_buffers()
        distilled = run.distilled()
        for observer in self.observers:
            observer.steps_ended(run)
        row: EpochMetrics = {"epoch": run.counters.epoch + 1, "step": run.counters.step}
        row |= {"lr": run.optimizer.param_groups[0]["lr"], "train_loss": loss}
        right = by_head(Accuracy.kind, run.classifying, shares)
        row |= {f"train_{name}": share for name, share in (right | distilled).items()}
        if self.batches.validation is not None:
            outputs, targets = answers_to(run, self.batches.validation)
            found = scores_of(run, run.answers, outputs, targets)
            row |= {f"val_{name}": value for name, value in found.items()}
            run.thresholds = measured_thresholds(run.answers, outputs, targets)
        return row | {"samples_per_second": samples / seconds, "seconds": seconds}

    def named(self, metric: str) -> str:
        """The key of a metric of the validation split or, without one, of the training split."""
        return f"{'train' if self.batches.validation is None else 'val'}_{metric}"

    def is_kept(self, score: float, loss: float) -> bool:
        """Whether the epoch is the best so far on the validation split.

        Without one, the newest is always kept: the training loss of an epoch is measured before its
        steps, and says nothing about the weights after the last.
        """
        counters = self.run.counters
        if counters.best is None or counters.best_loss is None or self.batches.validation is None:
            return True
        sign = 1 if watched(self.run.experiment.train.monitor).more_is_better else -1
        return (sign * score, -loss) > (sign * counters.best, -counters.best_loss)

    def result(self) -> TrainingResult:
        """Evaluate the best weights on the test split, if there is one and the run is finished.

        Raises:
            FaultError: the loss is not finite, or the weights cannot be read back.
        """
        found = None
        if self.run.is_finished and self.batches.test is not None:
            if self.run.world.is_first:  # which has the store
                load_weights(self.run.evaluated, self.store.best_weights())
            self.run.world.meet()
            self.run.agree_on_weights()
            found = evaluate(self.run, self.batches.test, tasks=self.settled_tasks())
        return TrainingResult(self.run, found)

    def settled_tasks(self) -> Sequence[Task]:
        """What the network answers, with the thresholds that the checkpoint of its weights has."""
        tasks, validation = self.run.answers, self.batches.validation
        if validation is None or not any(task.measures_thresholds for task in tasks):
            return tasks
        found = measured_thresholds(tasks, *answers_to(self.run, validation))
        return [task.with_thresholds(found) for task in tasks]


def grouped(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items; the last one may be shorter."""
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group
