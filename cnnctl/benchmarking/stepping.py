"""Steps of a training, taken again and again: how long they take, and their parts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import torch
from torch import Tensor

from cnnctl.benchmarking.clock import PartClock, clock_for
from cnnctl.benchmarking.facts import PARTS
from cnnctl.data.device_store import Batch
from cnnctl.data.loader import Batches
from cnnctl.device import give_back_freed, use_precision
from cnnctl.experiment import starting_weights
from cnnctl.training.memory import Usage
from cnnctl.training.setup import Setup
from cnnctl.training.step import Step, make_step
from cnnctl.training.training import grouped
from cnnctl.verification.process import forget_peak, usage_of

WARM_UP = 3
"""Steps after the first that are not timed: torch chooses algorithms and allocates memory."""
Group = tuple[Sequence[Batch], Sequence[Tensor]]
"""The batches of a step, and the positions of their samples."""


@dataclass(frozen=True, slots=True)
class Round:
    """Some steps in a row."""

    samples_per_second: float
    parts: dict[str, float]
    """Seconds of a step by its part."""


@dataclass(slots=True)
class Stepper:
    """Takes the steps of a temporary run, with all its real settings."""

    setup: Setup
    clock: PartClock
    step: Step
    network_seconds: float
    """Seconds for building the network and the optimizer."""
    groups: Iterator[Group] = field(init=False)
    initial: dict[str, Tensor] = field(init=False)
    """The state of the network at the start."""
    first_step: float = 0.0
    """Seconds of the first step."""
    warm_step: float = 0.0
    """Seconds of the steps after it, roughly."""
    peak_memory: int | None = None

    @classmethod
    def of(cls, setup: Setup, *, base: Usage | None) -> Stepper:
        """Build a run, and take its first steps.

        base: the memory that was used before any run was built.

        Raises:
            FaultError: out of memory, weights are not available, or the loss is not finite.
        """
        use_precision(setup.experiment.train.precision, setup.device)
        give_back_freed()
        forget_peak(setup.device)
        before, start = usage_of(setup.device), time.perf_counter()
        with setup.memory_faults():
            clock = clock_for(setup.device)
            step = _step_of(setup, clock)
            stepper = cls(setup, clock, step, time.perf_counter() - start)
            stepper.warm_up()
        after = usage_of(setup.device)
        if base and before and after:  # earlier runs are still there
            stepper.peak_memory = base.now + after.peak - before.now
        return stepper

    def warm_up(self) -> None:
        """Take the first step and a few more."""
        self.groups = endless(
            self.setup.batches.train,
            self.setup.experiment.train.accumulate,
            first=self.setup.typical_epoch,
        )
        network = self.step.run.network
        self.initial = {name: each.clone() for name, each in network.state_dict().items()}
        _, self.first_step = self.take(1)
        self.warm_step = self.take(WARM_UP)[1] / WARM_UP
        self.clock.read()

    def round(self, seconds: float, steps: int | None) -> Round:
        """Take so many steps, or as many as the seconds are likely to suffice for.

        Raises:
            FaultError: the loss is not finite.
        """
        use_precision(self.setup.experiment.train.precision, self.setup.device)
        self.step.run.network.load_state_dict(self.initial)  # else, they might diverge in time
        steps = steps or max(1, round(seconds / self.warm_step))
        with self.setup.memory_faults():
            samples, taken = self.take(steps)
        found = self.clock.read()
        return Round(samples / taken, {part: found.get(part, 0.0) / steps for part in PARTS})

    def take(self, steps: int) -> tuple[int, float]:
        """Take steps; returns the number of their samples and the seconds that they took."""
        run, samples = self.step.run, 0
        _wait(run.device)
        start = time.perf_counter()
        for _ in range(steps):
            self.clock.mark("data")
            batches, rows = next(self.groups)
            self.clock.mark("forward")
            run.counters.step = 1  # which the schedule has in any case
            self.step(batches, rows)
            samples += sum(len(targets) for _, targets in batches)
        self.clock.mark("")
        _wait(run.device)
        seconds = time.perf_counter() - start
        self.step.guard.raise_if_diverged(steps)
        return samples, seconds


def endless(batches: Batches, accumulate: int, *, first: int) -> Iterator[Group]:
    """The groups of batches of one epoch after another, from the first one on."""
    for epoch in count(first):
        yield from zip(
            grouped(batches.epoch(epoch), accumulate),
            grouped(batches.rows(epoch), accumulate),
            strict=True,
        )


def _step_of(setup: Setup, clock: PartClock) -> Step:
    """The step of a new run, in its first epoch."""
    torch.manual_seed(setup.experiment.seed)
    run = setup.assemble()
    if (weights := starting_weights(setup.loaded)) is not None:
        run.take_weights(weights)
    if run.distilling is not None:
        run.distilling.remember(setup.batches.train)
    run.begin_epoch()
    return make_step(run, mark=clock.mark).for_epoch()


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
