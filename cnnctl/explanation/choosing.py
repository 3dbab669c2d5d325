"""Which samples to explain, and by which method."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from cnnctl.data.preparation import SplitName
from cnnctl.errors import config_fault, data_fault
from cnnctl.experiment import Task
from cnnctl.prediction.outputs import block_size
from cnnctl.subject import Chosen, Subject

MOST = 100
"""Samples on a sheet."""
FEW = 4
"""Samples that are explained where none are chosen."""


def positions_in(text: str) -> list[int]:
    """`3,17,20` as numbers.

    Raises:
        FaultError: a word is no number from 0, or there are too many.
    """
    words = text.replace(",", " ").split()
    wrong = [word for word in words if not word.isdecimal()]
    if wrong or not words:
        message = f"--samples: {wrong[0]!r} is not a position" if wrong else "--samples is empty"
        raise config_fault(message, hint="write --samples 0,3,17, counted from 0")
    return [int(word) for word in words]


def at_most(chosen: Chosen) -> Chosen:
    """The same, unless they are too many for a sheet."""
    if len(chosen) > MOST:
        message = f"{len(chosen):,} samples, but a sheet has at most {MOST}"
        raise data_fault(message, hint="choose fewer")
    return chosen


def worst(subject: Subject, task: Task, count: int, split: SplitName | None = None) -> Chosen:
    """The most confident mistakes of a split, the worst first; for values, the largest errors.

    Raises:
        FaultError: the network makes none.
    """
    badness = torch.cat(list(_badness(subject, task, split)))
    order = badness.argsort(descending=True, stable=True)[:count]
    mistakes = [place for place in order.tolist() if badness[place] > 0]
    if not mistakes:
        message = f"no mistakes on the {split or subject.default_split()} split"
        raise data_fault(message, hint="choose samples with --samples 0,1,2")
    return subject.chosen(mistakes, split)


@torch.no_grad()
def _badness(subject: Subject, task: Task, split: SplitName | None) -> Iterator[Tensor]:
    """How wrong the network is on each sample, by batches; 0 where it is right."""
    size = block_size(subject.trained.plan, subject.trained.device)
    for inputs, targets in subject.batches(split).in_order(batch_size=size):
        outputs, wanted = task.of(subject.trained.network(inputs).float(), targets)
        if task.target.kind == "values":
            yield (outputs - wanted.reshape(outputs.shape)).square().sum(1).cpu()
            continue
        shares, is_right = task.probabilities(outputs), task.is_right(outputs, wanted)
        if task.target.kind == "labels":
            confidence = ((shares - wanted).abs()).amax(1)
        else:
            confidence = shares.amax(1)
        yield confidence.masked_fill(is_right, 0).cpu()
