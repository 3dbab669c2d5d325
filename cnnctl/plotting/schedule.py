"""The learning rate of a run before it is trained: its curve, and where it changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, pairwise
from math import ceil
from typing import Any, Literal

from cnnctl.charts import Chart, Series
from cnnctl.experiment import Loaded
from cnnctl.experiment.rates import Rates, rates_of

MOST_PHASES = 8
"""Phases that are listed; the others are counted."""
MOST_POINTS = 2000
"""Points of a curve that is drawn."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Steps in which the rate rises, falls, or stays as it is."""

    trend: Literal["constant", "rising", "falling"]
    first_epoch: int
    last_epoch: int
    """Counted from 1."""
    first_step: int
    last_step: int
    """Counted from 1."""
    start: float
    end: float
    """The rate of the first and of the last step."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The learning rate of every step, and how the steps are counted."""

    samples: int
    """Samples in the training split."""
    batch_size: int
    batches: int
    """Batches per epoch."""
    accumulate: int
    """Batches per step."""
    rates: Rates

    @property
    def phases(self) -> list[Phase]:
        """The phases of the rate of the weights without a parameter group of their own."""
        steps, curve = self.rates.steps, self.rates.curves[0]
        found = _phases(steps, curve, self.rates.steps_per_epoch)
        if len(found) <= MOST_PHASES:
            return found
        starts = [n for n, step in enumerate(steps) if step % self.rates.steps_per_epoch == 0]
        by_epoch = _phases(
            [steps[n] for n in starts], [curve[n] for n in starts], self.rates.steps_per_epoch
        )
        return by_epoch if 0 < len(by_epoch) < len(found) else found

    def to_json(self) -> dict[str, Any]:
        """The facts as plain data, with the rate at the beginning of each epoch."""
        per_epoch = self.rates.steps_per_epoch
        curve = zip(self.rates.steps, self.rates.curves[0], strict=True)
        return {
            "samples": self.samples,
            "batch_size": self.batch_size,
            "batches_per_epoch": self.batches,
            "accumulate": self.accumulate,
            "steps_per_epoch": per_epoch,
            "epochs": self.rates.epochs,
            "steps": self.rates.total,
            "phases": [asdict(phase) for phase in self.phases],
            "rates": [
                {"epoch": step // per_epoch + 1, "lr": rate}
                for step, rate in curve
                if step % per_epoch == 0
            ],
            "depends_on_progress": self.rates.depends_on_progress,
        }


def schedule_of(loaded: Loaded) -> Schedule:
    """The schedule of an experiment; the samples are not read, only counted."""
    experiment, samples = loaded.experiment, loaded.description.train_samples
    data = experiment.data
    size = samples if data.batch_size == "all" else data.batch_size
    batches = max(1, samples // size if data.drop_last else ceil(samples / size))
    rates = rates_of(experiment, batches=batches)
    return Schedule(samples, size, batches, experiment.train.accumulate, rates)


def _phases(steps: Sequence[int], curve: Sequence[float], per_epoch: int) -> list[Phase]:
    """Maximal stretches with one trend; a jump between two constants is none of its own."""
    changes = [(n, (b > a) - (b < a)) for n, (a, b) in enumerate(pairwise(curve))]
    stretches = [(sign, [n for n, _ in group]) for sign, group in groupby(changes, lambda c: c[1])]
    found = []
    for position, (sign, numbers) in enumerate(stretches):
        beside = [stretches[n][0] for n in (position - 1, position + 1) if 0 <= n < len(stretches)]
        if sign and len(numbers) == 1 and len(stretches) > 1 and not any(beside):
            continue
        found.append(_phase(sign, numbers[0], numbers[-1] + 1, steps, curve, per_epoch))
    if not stretches:
        found.append(_phase(0, 0, 0, steps, curve, per_epoch))
    return found


def _phase(
    sign: int, first: int, last: int, steps: Sequence[int], curve: Sequence[float], per_epoch: int
) -> Phase:
    trend: Literal["constant", "rising", "falling"]
    trend = "constant" if not sign else "rising" if sign > 0 else "falling"
    return Phase(
        trend,
        first_epoch=steps[first] // per_epoch + 1,
        last_epoch=steps[last] // per_epoch + 1,
        first_step=steps[first] + 1,
        last_step=steps[last] + 1,
        start=curve[first],
        end=curve[last],
    )


def chart_of(schedule: Schedule) -> Chart:
    """The rate over the epochs; of each parameter group with a rate of its own."""
    rates = schedule.rates
    shown = range(0, len(rates.steps), ceil(len(rates.steps) / MOST_POINTS))
    series = [
        Series(
            "lr" if not number else f"lr of group {number}",
            [(rates.steps[n] / rates.steps_per_epoch, curve[n]) for n in (*shown, -1)],
        )
        for number, curve in enumerate(rates.curves)
    ]
    return Chart("Learning rate", "epochs", "", series)


def report(schedule: Schedule) -> Iterator[str]:
    """The steps, and the phases of the rate, in words."""
    rates = schedule.rates
    yield f"{_steps(schedule)} per epoch, {rates.total:,} in {_count(rates.epochs, 'epoch')}"
    phases = schedule.phases
    for phase in phases[:MOST_PHASES]:
        yield f"learning rate: {_described(phase)}"
    if len(phases) > MOST_PHASES:
        yield f"and {len(phases) - MOST_PHASES:,} more changes"
    if rates.depends_on_progress:
        yield "note: plateau lowers the learning rate whenever its metric stops improving"


def _steps(schedule: Schedule) -> str:
    """`1,293 samples / 64 = 21 steps`."""
    counted = f"{schedule.samples:,} samples / {schedule.batch_size:,}"
    if schedule.accumulate == 1:
        return f"{counted} = {_count(schedule.batches, 'step')}"
    batches = _count(schedule.batches, "batch", "batches")
    steps = _count(schedule.rates.steps_per_epoch, "step")
    return f"{counted} = {batches}, {schedule.accumulate} per step = {steps}"


def _described(phase: Phase) -> str:
    epochs = f"epoch {phase.first_epoch:,}"
    if phase.last_epoch > phase.first_epoch:
        epochs = f"epochs {phase.first_epoch:,} to {phase.last_epoch:,}"
    if phase.trend == "constant":
        return f"{phase.start:.3g} in {epochs}"
    verb = "rises" if phase.trend == "rising" else "falls"
    return f"{verb} from {phase.start:.3g} to {phase.end:.3g} in {epochs}"


def _count(number: int, noun: str, nouns: str = "") -> str:
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"
