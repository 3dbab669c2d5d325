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
    ("train", "checkpoint_every"),
    ("train", "device"),
    ("train", "threads"),
    ("train", "compile"),
)
"""Options that may change on resuming; all others must be the same."""

SETTLED = ("auto", "measure")
"""Values that mean the choice made when the run began."""
MEASURED = "balanced"
"""A value that means the numbers measured then; samplers and others have it as a choice, too."""

BREAKS_EXACTNESS: tuple[ConfigPath, ...] = (
    ("train", "device"),
    ("train", "threads"),
    ("train", "compile"),
)
"""Options that may change, but after which the run is not bit-identical."""


def reconcile(asked: Experiment, before: Experiment, *, place: str) -> Experiment:
    """The experiment to go on with: the one before, with the changes that may be made.

    An `auto` of the new file means what was settled before.

    Raises:
        FaultError: something differs that may not change, with both values (exit code 4).
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
    train = {path[1]: new for path, (new, _) in changes.items() if path[0] == "train"}
    resolved = before.train.model_copy(update={str(key): value for key, value in train.items()})
    return before.model_copy(update={"train": resolved})


def differences(
    new: Any, old: Any, path: ConfigPath = ()
) -> Iterator[tuple[ConfigPath, tuple[Any, Any]]]:
    """Where two pieces of plain data differ; an automatic choice differs from nothing."""
    if isinstance(new, dict) and isinstance(old, dict):
        for key in dict.fromkeys((*new, *old)):
            yield from differences(new.get(key), old.get(key), (*path, key))
    elif isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        for index, (mine, other) in enumerate(zip(new, old, strict=True)):
            yield from differences(mine, other, (*path, index))
    elif new not in (old, *SETTLED) and not (new == MEASURED and isinstance(old, list)):
        yield path, (new, old)


def inexact_because(experiment: Experiment, before: Experiment, checkpoint: Checkpoint) -> str:
    """Why a resumed run is not bit-identical; empty if it is."""
    changed = [
        dotted(path)
        for path, _ in differences(experiment.plain(), before.plain())
        if path in BREAKS_EXACTNESS
    ]
    if checkpoint.document.get("torch") != torch.__version__:
        changed.append(f"torch (was {checkpoint.document.get('torch')})")
    return ", ".join(changed)
