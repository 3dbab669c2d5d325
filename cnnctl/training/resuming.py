"""Resuming a run: whether the experiment is still the same, and what changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from cnnctl.checkpoint import Checkpoint
from cnnctl.errors import ConfigPath, ExitCode, Fault, FaultError, dotted
from cnnctl.experiment import Experiment

MAY_CHANGE: tuple[ConfigPath, ...] = (
    ("name",),
    ("train", "epochs"),
    ("train", "max_minutes"),
    ("train", "activation_checkpointing"),
    ("train", "checkpoint_every"),
    ("train", "snapshots"),
    ("train", "watch"),
    ("train", "device"),
    ("train", "precision"),
    ("train", "threads"),
    ("train", "micro_batch_size"),
    ("train", "compile"),
    ("data", "workers"),
)
"""Options that may change on resuming; all others must be the same."""

SETTLED = ("auto", "measure")
"""Values that stand for the choice made when the run started."""
MEASURED = "balanced"
"""A value that stands for numbers measured then, unless an option has it as a choice."""

BREAKS_EXACTNESS: tuple[ConfigPath, ...] = (
    ("train", "device"),
    ("train", "precision"),
    ("train", "threads"),
    ("train", "micro_batch_size"),
    ("train", "compile"),
)
"""Options that may change, but make the run not bit-identical."""


def reconcile(asked: Experiment, before: Experiment, *, place: str) -> Experiment:
    """The experiment to continue: the original one with permitted changes.

    An `auto` in the new file stands for the recorded choice.

    Raises:
        FaultError: something else has changed, with both values (exit code 4).
    """
    changes = dict(differences(asked.plain(), before.plain()))
    faults = [
        Fault(
            message=f"is {new} now, but the run has {old}",
            hint="start a new run, or change it back",
            path=path,
            place=place,
        )
        for path, (new, old) in changes.items()
        if not any(path[: len(free)] == free for free in MAY_CHANGE)
    ]
    if faults:
        raise FaultError(*faults, exit_code=ExitCode.CHECKPOINT)
    update = {
        section: getattr(before, section).model_copy(
            update={str(path[1]): new for path, (new, _) in changes.items() if path[0] == section}
        )
        for section in ("train", "data")
    }
    return before.model_copy(update=update)


def differences(
    new: Any, old: Any, path: ConfigPath = ()
) -> Iterator[tuple[ConfigPath, tuple[Any, Any]]]:
    """Paths at which plain data differ; an automatic choice equals any value."""
    if isinstance(new, dict) and isinstance(old, dict):
        for key in dict.fromkeys((*new, *old)):
            yield from differences(new.get(key), old.get(key), (*path, key))
    elif isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        for index, (mine, other) in enumerate(zip(new, old, strict=True)):
            yield from differences(mine, other, (*path, index))
    elif new not in (old, *SETTLED) and not (new == MEASURED and isinstance(old, list)):
        yield path, (new, old)


def inexact_because(
    experiment: Experiment, before: Experiment, checkpoint: Checkpoint, *, ranks: int = 1
) -> str:
    """Why a resumed run is not bit-identical; empty if it is.

    ranks: how many there are now.
    """
    changed = [
        dotted(path)
        for path, _ in differences(experiment.plain(), before.plain())
        if path in BREAKS_EXACTNESS
    ]
    if checkpoint.document.get("torch") != torch.__version__:
        changed.append(f"torch (was {checkpoint.document.get('torch')})")
    if (were := ranks_of(checkpoint)) != ranks:
        changed.append(f"the number of ranks (was {were})")
    return ", ".join(changed)


def ranks_of(checkpoint: Checkpoint) -> int:
    """The number of ranks that trained together."""
    ranks = checkpoint.document.get("ranks", 1)
    return ranks if isinstance(ranks, int) else 1


def with_other_threads(experiment: Experiment, before: Experiment) -> Experiment:
    """The experiment for another number of ranks: threads are counted anew, unless given now."""
    if experiment.train.threads != before.train.threads:
        return experiment
    train = experiment.train.model_copy(update={"threads": "auto"})
    return experiment.model_copy(update={"train": train})
