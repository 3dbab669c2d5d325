"""The sample to trace: one of a split, numbers, or a file; and the target given with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from cnnctl.data.preparation import SplitName
from cnnctl.errors import config_fault, nearest
from cnnctl.experiment import Task
from cnnctl.subject import Chosen, Subject, finite_number

DEFAULT_SPLIT: SplitName = "train"


def from_split(subject: Subject, number: int, split: SplitName | None) -> Chosen:
    """The sample at this position of a split, by default of the training split.

    Raises:
        FaultError: there is no such sample, or the data cannot be read.
    """
    return subject.chosen([number], split or DEFAULT_SPLIT)


def from_file(subject: Subject, name: str) -> Chosen:
    """The single sample in a file.

    Raises:
        FaultError: it cannot be read, or has several samples.
    """
    found = subject.files([name])
    if len(found) != 1:
        message = f"has {len(found):,} samples, but one is traced"
        hint = "give a file with one, or use --sample with --split"
        raise config_fault(f"{name} {message}", hint=hint)
    return found


def with_target(subject: Subject, sample: Chosen, text: str) -> Chosen:
    """The sample with this target: a class, or numbers separated by commas.

    For several heads, their targets one after the other. Values are in the units of the dataset.

    Raises:
        FaultError: it is no class, no number, or there are too few or too many.
    """
    words = [word.strip() for word in text.split(",")]
    tasks = subject.tasks
    if tasks[0].targets is None:
        return replace(sample, targets=_target(subject, tasks[0], words))
    columns, rest = list[Tensor](), words
    for task in tasks:
        width = 1 if task.target.kind == "class" else task.target.outputs
        columns.append(_target(subject, task, rest[:width]).reshape(1, -1).float())
        rest = rest[width:]
    if rest:
        raise _wrong_count(len(words), len(words) - len(rest))
    return replace(sample, targets=torch.cat(columns, dim=1))


def _target(subject: Subject, task: Task, words: Sequence[str]) -> Tensor:
    """One target, (1,) of a class or (1, numbers)."""
    if task.target.kind == "class" and len(words) == 1:
        return torch.tensor([_class(task, words[0])])
    numbers = [finite_number(word, option="--target", example="0.8,0.2") for word in words]
    values = torch.tensor([numbers])
    if values.shape[1] != task.target.outputs:
        raise _wrong_count(len(words), task.target.outputs)
    return subject.trained.preprocessing.targets(values, name=task.target.name)


def _class(task: Task, word: str) -> int:
    names = task.target.class_names
    if word in names:
        return names.index(word)
    if word.isdecimal() and int(word) < len(names):
        return int(word)
    message = f"--target: {word!r} is not a class"
    raise config_fault(message, hint=nearest(word, names[:20]))


def _wrong_count(given: int, needed: int) -> Exception:
    message = f"--target has {given} numbers, not {needed}"
    return config_fault(message, hint="separate them by commas")
