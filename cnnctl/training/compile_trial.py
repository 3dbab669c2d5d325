"""`train.compile: measure`: try torch.compile on the first batches, and keep it if it is faster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate, cycle, islice
from math import comb
from statistics import median
from typing import Any
from warnings import warn

import torch

from cnnctl.errors import FaultError
from cnnctl.training.compilation import Failed, can_compile
from cnnctl.training.run import Run
from cnnctl.training.setup import Setup
from cnnctl.training.step import Batch, Step, make_step

GAIN = 1.05
"""Minimum speed-up to keep compilation."""
WARM_UP = 3
"""Number of steps before the timed ones; compilation happens in them."""
FEWEST, MOST, ROUND_SECONDS = 8, 30, 0.4
"""Rounds of plain and compiled steps, which alternate so that a busy machine affects both. Fewer
than eight have no interval of their median at `CONFIDENCE`."""
CONFIDENCE = 0.99
"""Of the interval of the median that has to exclude `GAIN` before the last round. It is high since
every round asks again."""
DIFFERENT = 50
"""Number of batches, which the steps reuse."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of a trial."""

    compile: bool
    """Whether to compile the run."""
    found: str
    """The finding as text."""
    gains: list[float] = field(default_factory=list)
    """The speed-up in each round; none without a measurement."""

    def to_json(self) -> dict[str, Any]:
        """The trial as plain data, for environment.json."""
        return asdict(self)


def try_compile(setup: Setup) -> Trial:
    """Time plain and compiled steps in turn, in temporary runs."""
    if not can_compile(setup.device):
        return Trial(False, "torch finds no compiler on this machine")
    reasons: list[str] = []
    try:
        plain = _step(setup.with_compile(False).assemble())
        compiled = _step(setup.with_compile(True).assemble(), failed=reasons.append)
        gains = measured_gains(plain, compiled, _whole(setup), failures=reasons)
    except FaultError:
        # the loss is not finite; the run will report that, too
        return Trial(False, "the loss was not finite")
    if reasons:
        return Trial(False, reasons[0])
    return judged(gains)


def judged(gains: list[float]) -> Trial:
    """Compile where the speed-up is above `GAIN` for sure."""
    low, high = median_interval(gains)
    found = f"compiled steps ran {median(gains):.2f}x as fast ({low:.2f} to {high:.2f})"
    return Trial(low > GAIN, found, gains)


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """The values between which the median of a distribution lies, at `CONFIDENCE` or more.

    The k-th smallest and largest of n, whose chance to miss it is that of fewer than k heads in n
    tosses, on either side; the outermost where n is too small. Conover, Practical Nonparametric
    Statistics, section 3.2.
    """
    count, ordered = len(values), sorted(values)
    tosses = (comb(count, heads) / 2**count for heads in range(count))
    outside = sum(1 for below in accumulate(tosses) if 2 * below <= 1 - CONFIDENCE)
    place = max(outside, 1) - 1
    return ordered[place], ordered[-1 - place]


def _step(run: Run, *, failed: Failed = warn) -> Step:
    run.begin_epoch()
    return make_step(run, failed=failed).for_epoch()


def _whole(setup: Setup) -> list[Batch]:
    """Batches of full size; a smaller one would be compiled separately."""
    batches = setup.batches.train
    count = min(DIFFERENT, max(1, len(batches) - 1))
    return list(islice(batches.epoch(setup.typical_epoch), count))


def measured_gains(
    plain: Step, compiled: Step, batches: Sequence[Batch], *, failures: Sequence[str] = ()
) -> list[float]:
    """The speed-up of compiled steps in each round, until it is sure; ends if compiling fails.

    Raises:
        FaultError: the loss is not finite.
    """
    endless = cycle(batches)
    for step in (plain, compiled):
        for batch in islice(endless, WARM_UP):
            step([batch])
    gains: list[float] = []
    while len(gains) < MOST and not failures:
        gains.append(_seconds_per_step(plain, endless) / _seconds_per_step(compiled, endless))
        low, high = median_interval(gains)
        if len(gains) >= FEWEST and not low <= GAIN <= high:
            break
    return gains


def _seconds_per_step(step: Step, batches: Iterator[Batch]) -> float:
    """The median over the steps of a round."""
    taken: list[float] = []
    while sum(taken) < ROUND_SECONDS:
        start = time.perf_counter()
        step([next(batches)])
        if step.run.device.type == "cuda":
            torch.cuda.synchronize(step.run.device)
        taken.append(time.perf_counter() - start)
    return median(taken)
