"""Verification that a checkpoint's state is valid for a run of its experiment.

A checkpoint may come from anyone, and its hash only shows that it is complete. The kernels of
optimizers trust their tensors and read and write beyond the end of one that is too short.
Therefore everything is compared with the state of a new run of the experiment before it is used.
"""

from __future__ import annotations

import struct
from math import ceil
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from cnnctl.checkpoint import FORMAT, Checkpoint, Tensors, form_of, tensor_names, unpack
from cnnctl.errors import FaultError, checkpoint_fault
from cnnctl.layout import RANDOM_CPU, RANDOM_CUDA, Part, named, of_rank, part_of
from cnnctl.training.optimizer_state import verified
from cnnctl.training.run import Run

Number = Annotated[float, Field(allow_inf_nan=False)]
StoredCount = Annotated[int, Field(ge=0, le=2**53)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CountersState(_Part):
    """The state of `Counters`."""

    epoch: StoredCount
    batch: StoredCount
    step: StoredCount
    best: Number | None
    best_loss: Number | None
    best_epoch: StoredCount
    stopped_early: bool
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class ScheduleState(_Part):
    """The state of `Schedule`."""

    epochs: StoredCount
    best: Number | None
    bad_epochs: StoredCount
    cooldown: StoredCount
    reductions: StoredCount


class PatienceState(_Part):
    """The state of `EarlyStopper`."""

    best: Number | None
    bad_epochs: StoredCount


class State(_Part):
    """The JSON document of a checkpoint to resume from."""

    format: int = FORMAT
    experiment: dict[str, Any]
    class_names: list[str] | dict[str, list[str]]
    counters: CountersState
    optimizer: Any
    schedule: ScheduleState
    patience: PatienceState | None
    torch: str
    ranks: Annotated[int, Field(ge=1, le=2**16)] = 1


def misfit(message: str) -> FaultError:
    """The fault for a state that is invalid for the experiment."""
    hint = "resume with the versions of cnnctl and torch in environment.json"
    return checkpoint_fault(f"invalid training state: {message}", hint=hint)


def verify(run: Run, checkpoint: Checkpoint) -> dict[str, Any]:
    """Check everything except the weights against a new run; returns the optimizer's state.

    Raises:
        FaultError: a part is missing, unknown or invalid.
    """
    try:
        state = State.model_validate(checkpoint.document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise misfit(f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None
    _verify_counters(run, state)
    _verify_names(run, checkpoint.tensors, ranks=state.ranks)
    _verify_tally(run, checkpoint.tensors[Part.TALLY])
    for rank in range(state.ranks):
        verify_random(checkpoint.tensors[of_rank(RANDOM_CPU, rank)])
    return _verified_optimizer(run, checkpoint, state)


def _verify_counters(run: Run, state: State) -> None:
    counters, per_epoch = state.counters, run.schedule.steps_per_epoch
    done = ceil(counters.batch / run.experiment.train.accumulate)
    expected = counters.epoch * per_epoch + done
    if run.schedule.plan and not done:  # the last epoch may be shorter
        expected = min(expected, run.schedule.total(counters.step))
    if done >= per_epoch or counters.step != expected:
        counted = f"epoch {counters.epoch}, batch {counters.batch} and step {counters.step}"
        raise misfit(f"counters: {counted} are inconsistent")
    schedule, bad = state.schedule, state.patience.bad_epochs if state.patience else 0
    for name, number in (
        ("counters.best_epoch", counters.best_epoch),
        ("schedule.epochs", schedule.epochs),
        ("schedule.reductions", schedule.reductions),
        ("patience.bad_epochs", bad),
    ):
        if number > counters.epoch:
            raise misfit(f"{name}: is {number} after {counters.epoch} epochs")
    if (state.patience is None) != (run.patience is None):
        raise misfit(f"patience: is {'missing' if run.patience else 'not part of this experiment'}")


def _verify_names(run: Run, tensors: Tensors, *, ranks: int) -> None:
    needed = {Part.TALLY, *(of_rank(RANDOM_CPU, rank) for rank in range(ranks))}
    if missing := needed - tensors.keys():
        raise misfit(f"{min(missing)}: is missing")
    parts = {Part.MODEL, Part.OPTIMIZER, *([Part.AVERAGE] if run.average else [])}
    if run.distilling is not None:
        parts.add(Part.REGRESSORS)
    known = needed | {of_rank(RANDOM_CUDA, rank) for rank in range(ranks)}
    for name in sorted(tensors.keys() - known):
        if part_of(name) not in parts:
            raise misfit(f"{name}: is not part of this experiment")


def _verify_tally(run: Run, found: Tensor) -> None:
    _check_tensor(Part.TALLY, found, run.tally.sums)
    samples = float(found[-1])
    if not found.isfinite().all() or samples < 0 or not samples.is_integer():
        raise misfit(f"{Part.TALLY}: has invalid sums")


def verify_random(state: Tensor) -> None:
    """Check that a random state of the CPU is valid for its generator.

    torch checks each of its two positions, but not whether they agree, and would read beyond the
    end of its numbers.

    Raises:
        FaultError: it is not.
    """
    generator = torch.Generator()
    _check_tensor(RANDOM_CPU, state, generator.get_state())
    _, left, _, position = struct.unpack_from("<QiiQ", bytes(state.numpy()))
    try:
        generator.set_state(state)
    except (RuntimeError, TypeError):
        raise misfit(f"{RANDOM_CPU}: is not a state of torch's generator") from None
    if left + position not in (1, 625):  # newly seeded, or within its 624 numbers
        raise misfit(f"{RANDOM_CPU}: is not a state of torch's generator")


def _check_tensor(name: str, found: Tensor, expected: Tensor) -> None:
    if form_of(found) != form_of(expected):
        raise misfit(f"{name}: is {form_of(found)}, not {form_of(expected)}")


def _verified_optimizer(run: Run, checkpoint: Checkpoint, state: State) -> dict[str, Any]:
    try:
        found = unpack(state.optimizer, checkpoint.tensors)
        used = set(tensor_names(state.optimizer))
    except (KeyError, TypeError, ValueError, RecursionError):
        raise misfit(f"{Part.OPTIMIZER}: a tensor is missing, or the state is malformed") from None
    if unused := named(Part.OPTIMIZER, checkpoint.under(Part.OPTIMIZER)).keys() - used:
        raise misfit(f"{min(unused)}: is not part of this experiment")
    kinds = [group.optimizer for group in run.groups]
    try:
        return verified(found, run.optimizer, kinds, steps=state.counters.step)
    except ValueError as error:
        raise misfit(f"{Part.OPTIMIZER}.{error}") from None
