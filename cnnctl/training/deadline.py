"""The time that a training may take, and the steps for which there is time."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from cnnctl.data.loader import Batches
from cnnctl.training.run import Run
from cnnctl.training.settings import without_deadline
from cnnctl.training.setup import SplitBatches

Clock = Callable[[], float]

TIMED = 10
"""Steps after which their pace is known well enough for a first plan."""
FIRST_SHARE = 0.05
"""Share of the time after which the first plan is made in any case."""
CLOSER = 0.1
"""Share of the remaining time after which the plan is looked at again: the closer the end, the more
often, so that a wrong forecast costs as little as it can."""
AT_MOST = 200
"""Looks at the plan, about: none comes earlier than after this part of all time."""
RESERVE = 0.02
"""Share of the remaining time that is not planned, since steps do not all take the same."""
CHANGE = 0.01
"""Change of the remaining steps below which the plan stays as it is."""
FORWARD_SHARE = 0.5
"""Time that evaluating a sample takes at most, as a share of learning from it, until measured."""


@dataclass(slots=True)
class Pace:
    """Seconds per step; what was measured counts less the longer ago it was."""

    steps: float = 0.0
    seconds: float = 0.0
    has_started: bool = False
    """Whether the first step is over, which may compile and is not like the others."""

    @property
    def seconds_per_step(self) -> float:
        """The time of a step; 0 if none was timed."""
        return self.seconds / self.steps if self.steps else 0.0

    def add(self, seconds: float) -> None:
        """Count a step; the first counts only until there is another."""
        if self.steps == 1 and not self.has_started:
            self.has_started, self.steps, self.seconds = True, 0.0, 0.0
        self.steps += 1
        self.seconds += seconds

    def fade(self) -> None:
        """Give all steps so far half of their weight."""
        if self.has_started:
            self.steps, self.seconds = self.steps / 2, self.seconds / 2


class Deadline:
    """Plans the steps of a run so that it ends within `train.max_minutes`.

    A plan is made from the pace of the latest steps and the time that the end of an epoch took. It
    is recorded in the experiment, and those that are recorded for later steps are kept. All ranks
    go by the clock of the first.
    """

    def __init__(
        self, run: Run, batches: SplitBatches, *, clock: Clock = time.perf_counter
    ) -> None:
        self.run, self.batches, self.clock = run, batches, clock
        self.budget = 60 * (run.experiment.train.max_minutes or 0.0)
        self.pace = Pace()
        self.started = self.now = 0.0
        self.before = 0.0
        """Seconds that the run took before it was resumed."""
        self.saving = 0.0
        """Seconds that saving the state took."""
        self.ending: float | None = None
        """Seconds that the end of the last epoch took, with everything up to the next."""
        self.look_at = 0.0
        self.has_looked = False

    @property
    def spent(self) -> float:
        """Seconds that the run had taken when the clock was last read, over all resumes."""
        return self.before + self.now - self.started

    def read(self) -> float:
        """Read the clock; returns the seconds since it was last read."""
        before, self.now = self.now, self.clock()
        if self.run.world.size > 1:
            self.now = float(self.run.world.broadcast_(torch.tensor(self.now).double()))
        return self.now - before

    def start(self) -> None:
        """Begin to count, with what the run took before it was resumed."""
        if self.budget:
            self.read()
            self.before, self.started = self.run.counters.seconds, self.now
            self.look_at = self.before + FIRST_SHARE * (self.budget - self.before)

    @contextmanager
    def timing_saves(self) -> Iterator[None]:
        """Note how long it takes to save the state."""
        if self.budget:
            self.read()
        yield
        if self.budget:
            self.saving = self.read()

    def note(self) -> None:
        """Write the time taken into the counters, before they are saved."""
        if self.budget:
            self.run.counters.seconds = self.before + self.clock() - self.started

    def began_epoch(self) -> None:
        """Start timing steps."""
        if self.budget:
            self.read()

    def stepped(self) -> bool:
        """Time a step, and make a new plan if it is time; returns whether the plan has changed."""
        if not self.budget:
            return False
        self.pace.add(self.read())
        is_known = not self.has_looked and self.pace.steps >= TIMED
        if not (is_known or self.spent >= self.look_at):
            return False
        # until a second step shows the pace, the first decides only if there is no time for another
        has_pace = self.pace.has_started or self.fitting_steps() <= 1
        return has_pace and self.plan()

    def ended_epoch(self) -> bool:
        """Time the end of an epoch, and make a new plan; returns whether it has changed."""
        if not self.budget or self.run.is_finished:
            return False
        self.ending = self.read()
        return self.plan()

    def settled(self) -> bool:
        """Once the run is finished, let its recorded plan alone say how many steps it takes.

        Returns whether the experiment has changed.
        """
        train = self.run.experiment.train
        if not self.run.is_finished or train.max_minutes is None:
            return False
        self.run.experiment = without_deadline(self.run.experiment)
        return True

    def plan(self) -> bool:
        """Plan the steps for which there is time; returns whether their number has changed."""
        step, recorded = self.run.counters.step, self.run.schedule.plan
        if recorded and recorded[-1].after >= step:  # this is a repetition
            return False
        total = step + self.fitting_steps()
        remaining = self.budget - self.spent
        self.look_at = self.spent + max(CLOSER * remaining, self.budget / AT_MOST)
        self.has_looked = True
        self.pace.fade()
        before = self.run.schedule.total(step)
        if total == before or abs(total - before) < CHANGE * (before - step):
            return False
        self.run.plan_steps(total)
        return True

    def fitting_steps(self) -> int:
        """The further steps for which there is time; at most those of all epochs."""
        remaining = (1 - RESERVE) * (self.budget - self.spent) - self.seconds_of_test()
        step = self.run.counters.step
        totals = range(step + 1, self.run.schedule.all_steps + 1)
        return bisect_right(totals, remaining, key=self.seconds_until)

    def seconds_until(self, total: int) -> float:
        """The time until this step of the run, with the ends of the epochs until then."""
        step, per_epoch = self.run.counters.step, self.run.schedule.steps_per_epoch
        ends = -(-total // per_epoch) - self.run.counters.epoch
        return (total - step) * self.pace.seconds_per_step + ends * self.seconds_of_end()

    def seconds_of_end(self) -> float:
        """The time that the end of an epoch takes."""
        if self.ending is not None:
            return self.ending
        return 2 * self.saving + self.seconds_to_evaluate(self.validation_samples)

    def seconds_of_test(self) -> float:
        """The time that the test split takes at the end."""
        samples = _samples(self.batches.test)
        if self.ending is not None and self.validation_samples:
            return self.ending * samples / self.validation_samples
        return self.seconds_to_evaluate(samples)

    @property
    def validation_samples(self) -> int:
        """Samples that are evaluated at the end of each epoch."""
        return _samples(self.batches.validation)

    def seconds_to_evaluate(self, samples: int) -> float:
        """The time to evaluate so many samples, from the pace of the steps."""
        steps = samples * self.run.schedule.steps_per_epoch / _samples(self.batches.train)
        return FORWARD_SHARE * steps * self.pace.seconds_per_step


def _samples(batches: Batches | None) -> int:
    return 0 if batches is None else len(batches.positions)
