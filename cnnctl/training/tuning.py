"""Whether torch.compile pays: tried on the first batches of a run that is long enough."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from itertools import cycle, islice

from torch.utils._triton import has_triton

from cnnctl.data.loader import Batches
from cnnctl.device import synchronize
from cnnctl.experiment import Experiment
from cnnctl.training.run import Run
from cnnctl.training.step import make_step

LONG_SECONDS = 180.0
"""A run that takes less as it is would not win back the 20 to 60 seconds of compiling."""
GAIN = 1.2
"""How many times faster compiled steps must be. Far enough from 1 for a noisy machine to answer
the same way each time; some networks run slower compiled."""
STEPS = 20


def settle_compile(
    experiment: Experiment, assemble: Callable[[Experiment], Run], batches: Batches
) -> Experiment:
    """Replace `train.compile: auto` by what a short measurement says; it is written down.

    `assemble` makes a run that is thrown away.
    """
    if experiment.train.compile != "auto":
        return experiment
    plain = _with_compile(experiment, compile=False)
    if not can_compile(experiment.train.device):
        return plain
    seconds = seconds_per_step(assemble(plain), batches)
    steps = len(batches) * experiment.train.epochs
    if seconds * steps < LONG_SECONDS:
        return plain
    compiled = _with_compile(experiment, compile=True)
    return compiled if seconds > GAIN * seconds_per_step(assemble(compiled), batches) else plain


def _with_compile(experiment: Experiment, *, compile: bool) -> Experiment:
    train = experiment.train.model_copy(update={"compile": compile})
    return experiment.model_copy(update={"train": train})


def seconds_per_step(run: Run, batches: Batches) -> float:
    """What a step takes once it has warmed up: the fastest of three rounds."""
    step = make_step(run)
    # whole batches only: a shorter one would be compiled apart
    endless = cycle(list(islice(batches.epoch(0), min(STEPS, max(1, len(batches) - 1)))))
    run.network.train()
    rounds = []
    for _ in range(4):
        start = time.perf_counter()
        for batch in islice(endless, STEPS):
            step([batch])
        synchronize(run.device)
        rounds.append((time.perf_counter() - start) / STEPS)
    return min(rounds[1:])  # the first warms up, or compiles


def can_compile(device: str) -> bool:
    """Whether torch.compile has the compiler it needs: a C++ one for CPUs, triton for GPUs."""
    if device.startswith("cuda"):
        return bool(has_triton())
    return sys.platform != "win32" and any(map(shutil.which, ("g++", "c++", "clang++")))
