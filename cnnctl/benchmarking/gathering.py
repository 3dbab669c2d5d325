"""Gathers the facts of a benchmark: the start, rounds of steps, and the limits of the machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median

import torch

from cnnctl.benchmarking.facts import PARTS, Benchmark, Failure, Limits, Speed, Start
from cnnctl.benchmarking.layers import kind_times
from cnnctl.benchmarking.limits import measured_limits
from cnnctl.benchmarking.load import LoadMeter, seconds_since_start
from cnnctl.benchmarking.roofline import passes_of, work_of
from cnnctl.benchmarking.stepping import Round, Stepper
from cnnctl.device import describe_device, give_back_freed
from cnnctl.errors import ExitCode, FaultError, config_fault
from cnnctl.experiment import Loaded
from cnnctl.inspection.facts import Summary
from cnnctl.inspection.report import report_on
from cnnctl.training.compile_trial import try_compile
from cnnctl.training.environment import describe_environment
from cnnctl.training.settings import resolve_auto
from cnnctl.training.setup import Setup, set_up
from cnnctl.verification.memory import load_libraries
from cnnctl.verification.process import usage_of

ROUNDS = 5
"""Rounds of each batch size, which take turns, so that a busy machine affects all alike."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to measure."""

    batch_sizes: Sequence[int] = ()
    """By default, that of the experiment."""
    seconds: float = 5.0
    """For the rounds of each batch size."""
    steps: int | None = None
    """Steps of a round, in place of the seconds."""


def gather(loaded: Loaded, request: Request, *, folder: Path | None = None) -> Benchmark:
    """Train temporary runs for some steps, with all their real settings; nothing is written.

    folder: the folder given for the data, if any.

    Raises:
        FaultError: bad data, the device or the initial weights are not available, a loss that is
            not finite, a batch size beyond the training split, out of memory.
    """
    imports, start = seconds_since_start(), time.perf_counter()
    setup = set_up(loaded, data_root=folder)
    data_seconds = time.perf_counter() - start
    if setup.experiment.train.compile == "measure":
        setup = setup.with_compile(try_compile(setup).compile)
    setups = [at_batch_size(setup, loaded, size) for size in request.batch_sizes] or [setup]
    steppers = _steppers(setups)
    running = [each for each in steppers if isinstance(each, Stepper)]
    meter = LoadMeter()
    rounds = _rounds(running, request)
    load, summary = meter.read(), report_on(loaded).summary
    return Benchmark(
        name=setup.experiment.name,
        parameters=summary.parameters,
        samples=len(setup.splits.train),
        device=describe_device(setup.device),
        speeds=[
            each if isinstance(each, Failure) else _speed(each, rounds[id(each)])
            for each in steppers
        ],
        start=Start(imports, data_seconds, running[0].network_seconds, running[0].first_step),
        load=load,
        is_counted=summary.is_counted,
        environment=describe_environment(setup.device),
    )


def at_batch_size(setup: Setup, loaded: Loaded, size: int) -> Setup:
    """The same setup with another batch size, and the choices that follow from it.

    loaded: the experiment as it was read, with its automatic choices not made.

    Raises:
        FaultError: the training split has fewer samples.
    """
    if size > (samples := len(setup.batches.train.positions)):
        message = f"--batch-sizes {size}: the training split has {samples:,} samples"
        raise config_fault(message, hint=f"give at most {samples}")
    batches = copy(setup.batches.train)
    batches.batch_size = size
    asked, known = (
        each.model_copy(update={"data": each.data.model_copy(update={"batch_size": size})})
        for each in (loaded.experiment, setup.experiment)
    )
    train = resolve_auto(asked, loaded.plan, loaded.description).train
    train = train.model_copy(update={"compile": setup.experiment.train.compile})
    experiment = known.model_copy(update={"train": train})
    return replace(
        setup,
        experiment=experiment,
        loaded=replace(setup.loaded, experiment=experiment),
        batches=replace(setup.batches, train=batches),
    )


def _steppers(setups: Sequence[Setup]) -> list[Stepper | Failure]:
    """Those of all setups; of several, some may be out of memory."""
    load_libraries(setups[0].device)
    give_back_freed()
    base, found = usage_of(setups[0].device), list[Stepper | Failure]()
    for setup in setups:
        try:
            found.append(Stepper.of(setup, base=base))
        except FaultError as error:
            if error.exit_code is not ExitCode.OUT_OF_MEMORY or len(setups) == 1:
                raise
            found.append(Failure(setup.batches.train.batch_size, error.faults[0].message))
    if all(isinstance(each, Failure) for each in found):
        raise config_fault("no batch size fits in memory", hint="give smaller --batch-sizes")
    return found


def _rounds(steppers: Sequence[Stepper], request: Request) -> dict[int, list[Round]]:
    found: dict[int, list[Round]] = {id(each): [] for each in steppers}
    for _ in range(ROUNDS):
        for each in steppers:
            found[id(each)].append(each.round(request.seconds / ROUNDS, request.steps))
    return found


def _speed(stepper: Stepper, rounds: Sequence[Round]) -> Speed:
    setup, train = stepper.setup, stepper.setup.experiment.train
    size = setup.batches.train.batch_size
    of_step = size * train.accumulate
    batch, step = (report_on(setup.loaded, batch_size=n).summary for n in (size, of_step))
    limits = _limits(setup.device, train.precision, _largest(batch))
    numbers = setup.experiment.optimizer.numbers_kept()
    passes = list(passes_of(step, precision=train.precision, optimizer_numbers=numbers))
    return Speed(
        batch_size=of_step,
        rounds=[each.samples_per_second for each in rounds],
        parts={part: median(each.parts[part] for each in rounds) for part in PARTS},
        first_step=stepper.first_step,
        peak_memory=stepper.peak_memory,
        work=work_of(passes, limits),
        limits=limits,
        precision=train.precision,
        memory_format=train.memory_format,
        is_compiled=bool(train.compile),
        kinds=kind_times(stepper, passes, limits),
    )


def _largest(summary: Summary) -> int:
    """Bytes of the largest tensor between two layers, to a power of two, so that few are tried."""
    size = max(row.activation_bytes for row in summary.layers)
    return 1 << max(0, size - 1).bit_length()


@cache
def _limits(device: torch.device, precision: str, tensor_bytes: int) -> Limits:
    return measured_limits(device, precision, tensor_bytes=tensor_bytes)
