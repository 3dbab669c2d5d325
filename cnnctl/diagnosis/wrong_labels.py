"""Labels that are likely wrong, by confident learning: cleanlab, Northcutt et al. 2021,
https://arxiv.org/abs/1911.00068.

A label is suspect if the network gives another class at least the probability that it usually gives
to samples of that class. Probabilities must be of a network that has not learned from the sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from cnnctl.data.loader import Batches
from cnnctl.data.preparation import SplitName
from cnnctl.data.samples import Split, by_position
from cnnctl.errors import config_fault
from cnnctl.experiment import Task
from cnnctl.extras import require
from cnnctl.prediction.outputs import block_size, collect_outputs
from cnnctl.subject import Subject


@dataclass(frozen=True, slots=True)
class Answers:
    """What networks say of all samples of a split."""

    name: SplitName
    split: Split
    batches: Batches
    tasks: Sequence[Task]
    outputs: Tensor
    """(N, outputs)."""
    targets: Tensor
    """(N, …), as the loss takes them."""
    folds: int = 0
    """Networks that were trained without the samples that they answer for; 0 for the one network
    that is looked at."""

    @property
    def is_learned(self) -> bool:
        """Whether the network has learned from these samples."""
        return self.name == "train" and not self.folds

    def called(self, position: int) -> str:
        """What to call the sample at a position of the split: its file, line or position."""
        samples = self.split.samples
        if samples.called is by_position:
            return f"{self.name} {position}"
        return samples.called(int(self.split.positions[position]))

    def pictures(self, positions: Sequence[int]) -> Tensor:
        """The samples at these positions, in their units: pixels from 0 to 1; on the CPU."""
        rows = self.split.positions[torch.tensor(positions, dtype=torch.int64)]
        source = self.batches.source
        inputs, _ = source.take(rows.to(source.device))
        return source.levels.undone(inputs).cpu()


@dataclass(frozen=True, slots=True)
class Suspect:
    """A sample whose label is likely wrong."""

    name: str
    position: int
    """In its split, from 0."""
    given: str
    """Its class."""
    given_share: float
    """The probability of that class."""
    likely: str
    """The most probable class."""
    likely_share: float


@dataclass(frozen=True, slots=True)
class WrongLabels:
    """The labels of a head that are likely wrong."""

    head: str
    """Empty without heads."""
    classes: tuple[str, ...]
    agreement: float
    """The share of labels that the network gives, too."""
    suspects: tuple[Suspect, ...]
    """Those with the least probable labels first."""

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        head = {"head": self.head} if self.head else {}
        suspects = [asdict(each) for each in self.suspects]
        return {**head, "agreement": self.agreement, "suspects": suspects}


def answers_of(subject: Subject, name: SplitName | None) -> Answers:
    """What a trained network says of a split, by default test, or else validation, or else train.

    Raises:
        FaultError: it is not trained, or the data cannot be read.
    """
    if not subject.is_trained:
        message = "wrong labels are found by a trained network"
        raise config_fault(message, hint="give a run, or train some with --folds 5")
    name = name or subject.default_split()
    split, batches = subject.split(name)
    trained = subject.trained
    size = block_size(trained.plan, trained.device)
    in_order = batches.in_order(batch_size=size, filled=True)
    precision = trained.experiment.train.precision
    found = collect_outputs(trained.network, in_order, precision=precision)
    return Answers(name, split, batches, subject.tasks, *found)


def check_package() -> None:
    """Raise a FaultError if cleanlab is not installed."""
    require("cleanlab", what="wrong labels need")


def wrong_labels(answers: Answers) -> list[WrongLabels]:
    """The likely wrong labels of each head with classes.

    Raises:
        FaultError: no head has classes, or cleanlab is not installed.
    """
    check_package()
    tasks = [task for task in answers.tasks if task.target.kind == "class"]
    if not tasks:
        message = "only labels that are classes can be checked"
        raise config_fault(message, hint="use a network that tells classes apart")
    return [_of_task(answers, task) for task in tasks]


def _of_task(answers: Answers, task: Task) -> WrongLabels:
    outputs, targets = task.of(answers.outputs, answers.targets)
    shares = task.probabilities(outputs).double().cpu()
    given = (targets.argmax(1) if targets.is_floating_point() else targets).long().cpu()
    likely = shares.argmax(1)
    suspects = tuple(
        Suspect(
            name=answers.called(position),
            position=position,
            given=task.target.class_names[int(given[position])],
            given_share=float(shares[position, given[position]]),
            likely=task.target.class_names[int(likely[position])],
            likely_share=float(shares[position].max()),
        )
        for position in suspected(given, shares)
        if likely[position] != given[position]
    )
    agreement = float((likely == given).double().mean())
    return WrongLabels(task.name, task.target.class_names, agreement, suspects)


def suspected(given: Tensor, shares: Tensor) -> Iterator[int]:
    """The positions of likely wrong labels, those with the least probable labels first.

    Classes (N,) int64 and probabilities (N, C), on the CPU.
    """
    from cleanlab.filter import find_label_issues

    # rounding may leave a sum beside 1, which cleanlab refuses
    shares = shares / shares.sum(dim=1, keepdim=True)
    found = find_label_issues(
        given.numpy(), shares.numpy(), return_indices_ranked_by="self_confidence", n_jobs=1
    )
    yield from map(int, found)
