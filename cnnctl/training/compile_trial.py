"""`train.compile: measure`: try torch.compile on the first batches, and keep it if it is faster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import median
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
ROUNDS, ROUND_SECONDS = 7, 0.4
"""Rounds of plain and compiled steps, which alternate so that a busy machine affects both."""
DIFFERENT = 50
"""Number of batches, which the steps reuse."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of a trial."""

    compile: bool
    """Whether to compile the run."""
    found: str
    """The finding as text."""


def try_compile(setup: Setup) -> Trial:
    """Time plain and compiled steps in turn, in temporary runs."""
    if not can_compile(setup.device):
        return Trial(False, "torch finds no compiler on this machine")
    reasons: list[str] = []
    try:
        plain = _step(setup.with_compile(False).assemble())
        compiled = _step(setup.with_compile(True).assemble(), failed=reasons.append)
        gain = measured_gain(plain, compiled, _whole(setup), failures=reasons)
    except FaultError:
        # the loss is not finite; the run will report that, too
        return Trial(False, "the loss was not finite")
    if reasons:
        return Trial(False, reasons[0])
    return Trial(gain > GAIN, f"compiled steps ran {gain:.2f}x as fast")


def _step(run: Run, *, failed: Failed = warn) -> Step:
    run.begin_epoch()
    return make_step(run, failed=failed).for_epoch()


def _whole(setup: Setup) -> list[Batch]:
    """Batches of full size; a smaller one would be compiled separately."""
    batches = setup.batches.train
    count = min(DIFFERENT, max(1, len(batches) - 1))
    return list(islice(batches.epoch(setup.typical_epoch), count))


def measured_gain(
    plain: Step, compiled: Step, batches: Sequence[Batch], *, failures: Sequence[str] = ()
) -> float:
    """The speed-up of compiled steps: the median over rounds; 0 if compiling fails.

    Raises:
        FaultError: the loss is not finite.
    """
    endless = cycle(batches)
    for step in (plain, compiled):
        for batch in islice(endless, WARM_UP):
            step([batch])
    gains = []
    for _ in range(ROUNDS):
        if failures:
            return 0.0
        gains.append(_seconds_per_step(plain, endless) / _seconds_per_step(compiled, endless))
    return median(gains)


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
