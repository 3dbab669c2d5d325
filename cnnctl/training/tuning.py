"""Whether torch.compile pays: tried on the first batches of a run that is long enough."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import cycle, islice
from statistics import median

import torch

from cnnctl.data.loader import Batches
from cnnctl.errors import FaultError
from cnnctl.experiment import Experiment
from cnnctl.training.run import Run
from cnnctl.training.step import make_step

LONG_SECONDS = 180.0
"""A run that takes less as it is would not win back the 20 to 60 seconds of compiling."""
GAIN = 1.1
"""How many times faster compiled steps must be, lest a noisy machine answers now so, now so; some
networks run slower compiled."""
WARM_UP, STEPS = 3, 60
ENOUGH_SECONDS = 1.0


def settle_compile(
    experiment: Experiment, assemble: Callable[[Experiment], Run], batches: Batches
) -> Experiment:
    """Replace `train.compile: auto` by what a short measurement says; it is written down.

    `assemble` makes a run that is thrown away.
    """
    if experiment.train.compile != "auto":
        return experiment
    plain, compiled = (_with_compile(experiment, compile=choice) for choice in (False, True))
    if not can_compile(torch.device(experiment.train.device)):
        return plain
    try:
        seconds = seconds_per_step(assemble(plain), batches)
        if seconds * len(batches) * experiment.train.epochs < LONG_SECONDS:
            return plain
        pays = seconds > GAIN * seconds_per_step(assemble(compiled), batches)
    except FaultError:
        # it diverges, as the run will, which says so; or this machine's compiler does not work
        return plain
    return compiled if pays else plain


def _with_compile(experiment: Experiment, *, compile: bool) -> Experiment:
    train = experiment.train.model_copy(update={"compile": compile})
    return experiment.model_copy(update={"train": train})


def seconds_per_step(run: Run, batches: Batches) -> float:
    """What a step takes once it has warmed up: the median of some, within about a second."""
    step = make_step(run)
    # whole batches only: a shorter one would be compiled apart
    endless = cycle(list(islice(batches.epoch(0), min(STEPS, max(1, len(batches) - 1)))))
    run.begin_epoch()
    taken: list[float] = []
    for batch in islice(endless, WARM_UP + STEPS):
        start = time.perf_counter()
        step([batch])
        if run.device.type == "cuda":
            torch.cuda.synchronize(run.device)
        taken.append(time.perf_counter() - start)
        if sum(taken[WARM_UP:]) > ENOUGH_SECONDS:
            break
    return median(taken[WARM_UP:])


def can_compile(device: torch.device) -> bool:
    """Whether torch.compile has the compiler it needs: a C++ one for CPUs, triton for GPUs.

    triton compiles for GPUs from Volta (compute capability 7.0) on.
    """
    if sys.platform == "win32":
        return False
    if device.type == "cuda":
        has_triton = find_spec("triton") is not None
        return has_triton and torch.cuda.get_device_capability(device) >= (7, 0)
    return any(map(shutil.which, ("g++", "c++", "clang++")))
