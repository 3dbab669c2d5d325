"""What a student learns from its teachers' answers: one lesson for each of its tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from cnnctl.data.normalization import Normalize
from cnnctl.distillation.answering import Answering, answering
from cnnctl.distillation.softening import (
    binary_cross_entropy,
    divergence,
    has_logits,
    is_independent,
    logits_of,
    softened,
)
from cnnctl.distillation.teachers import Teacher
from cnnctl.errors import config_fault
from cnnctl.experiment import Task
from cnnctl.target import TargetKind


@dataclass(frozen=True, slots=True)
class Lesson(ABC):
    """What a student learns for one of its tasks."""

    task: Task
    answering: tuple[Answering, ...]
    """Of the teachers that know it; their answers are averaged."""
    temperature: float

    kind: ClassVar[TargetKind]

    @property
    def scale(self) -> float:
        """T^2, which undoes that gradients of softened answers shrink by 1 / T^2."""
        return self.temperature**2

    @property
    @abstractmethod
    def summed(self) -> int:
        """How many numbers of a sample the loss is the mean of."""

    @abstractmethod
    def answer(self, outputs: Sequence[Tensor]) -> Tensor:
        """The answer to learn, (N, C); outputs of each teacher (N, …) in."""

    @abstractmethod
    def loss(self, outputs: Tensor, answer: Tensor) -> Tensor:
        """The sum of the losses of all samples; the student's outputs (N, outputs) in."""

    @property
    def counters(self) -> int:
        """The length of `agreement_sums`."""
        return 1

    @abstractmethod
    def agreement_sums(self, outputs: Tensor, answer: Tensor) -> Tensor:
        """Sums over the samples, from which `agreement` follows, (counters,)."""

    def agreement(self, sums: Sequence[float], samples: float) -> float:
        """The share of samples on which student and teacher agree."""
        return sums[0] / samples if samples else float("nan")


@dataclass(frozen=True, slots=True)
class ClassLesson(Lesson):
    """Kullback-Leibler divergence of softened classes.

    Where the student's loss is one of each class by itself, as `bce_with_logits`, it is the binary
    cross-entropy of each.
    """

    kind = "class"

    @property
    def summed(self) -> int:
        return self.task.output[0] if is_independent(self.task) else 1

    def answer(self, outputs: Sequence[Tensor]) -> Tensor:
        shares = _mean_of([self._softened(each, outputs) for each in self.answering])
        if is_independent(self.task) or not any(is_independent(a.task) for a in self.answering):
            return shares
        return functional.normalize(shares, p=1.0, dim=1)

    def _softened(self, each: Answering, outputs: Sequence[Tensor]) -> Tensor:
        logits, independent = each.logits(outputs), is_independent(each.task)
        return softened(logits, temperature=self.temperature, independent=independent)

    def loss(self, outputs: Tensor, answer: Tensor) -> Tensor:
        logits = logits_of(self.task, outputs)
        losses = binary_cross_entropy if is_independent(self.task) else divergence
        return losses(logits, answer, temperature=self.temperature)

    def agreement_sums(self, outputs: Tensor, answer: Tensor) -> Tensor:
        """The number of samples whose likeliest class is the teacher's."""
        return (self.task.predict(outputs) == answer.argmax(dim=1)).sum()[None]


@dataclass(frozen=True, slots=True)
class LabelLesson(Lesson):
    """Binary cross-entropy of softened labels."""

    kind = "labels"

    @property
    def summed(self) -> int:
        return self.task.output[0]

    def answer(self, outputs: Sequence[Tensor]) -> Tensor:
        return _mean_of(
            [
                softened(each.logits(outputs), temperature=self.temperature, independent=True)
                for each in self.answering
            ]
        )

    def loss(self, outputs: Tensor, answer: Tensor) -> Tensor:
        logits = logits_of(self.task, outputs)
        return binary_cross_entropy(logits, answer, temperature=self.temperature)

    def agreement_sums(self, outputs: Tensor, answer: Tensor) -> Tensor:
        """The number of samples with the teacher's labels, all of them, above 0.5."""
        same = (logits_of(self.task, outputs) > 0) == (answer > 0.5)
        return same.all(dim=1).sum()[None]


@dataclass(frozen=True, slots=True)
class ValueLesson(Lesson):
    """Squared error between values, in the student's normalisation."""

    units: tuple[tuple[Tensor, Tensor], ...] = ()
    """Of each teacher, factors and summands from its normalisation to the student's."""

    kind = "values"

    @property
    def scale(self) -> float:
        return 1.0

    @property
    def summed(self) -> int:
        return self.task.output[0]

    def answer(self, outputs: Sequence[Tensor]) -> Tensor:
        values = [each.task.of_outputs(outputs[each.teacher]) for each in self.answering]
        pairs = zip(values, self.units, strict=True)
        return _mean_of([torch.addcmul(summand, own, factor) for own, (factor, summand) in pairs])

    def loss(self, outputs: Tensor, answer: Tensor) -> Tensor:
        return functional.mse_loss(outputs, answer, reduction="sum")

    @property
    def counters(self) -> int:
        return 2 + self.task.output[0]

    def agreement_sums(self, outputs: Tensor, answer: Tensor) -> Tensor:
        """Squared errors, squared answers, and answers of each value."""
        outputs, answer = outputs.double(), answer.double()
        squares = torch.stack([(outputs - answer).square().sum(), answer.square().sum()])
        return torch.cat([squares, answer.sum(dim=0)])

    def agreement(self, sums: Sequence[float], samples: float) -> float:
        """R²: 1 - squared error / squared distance of the teacher's values from their means."""
        error, squares, *totals = sums
        spread = squares - sum(total * total for total in totals) / samples if samples else 0.0
        return 1 - error / spread if spread > 0 else float("nan")


LESSONS: dict[TargetKind, type[Lesson]] = {
    lesson.kind: lesson for lesson in (ClassLesson, LabelLesson, ValueLesson)
}


def _mean_of(answers: Sequence[Tensor]) -> Tensor:
    return answers[0] if len(answers) == 1 else torch.stack(list(answers)).mean(dim=0)


def lessons_of(
    tasks: Sequence[Task], teachers: Sequence[Teacher], *, temperature: float
) -> tuple[Lesson, ...]:
    """A lesson for every task of a student; those of several heads learn from heads of their name.

    Raises:
        FaultError: no teacher knows a task, or one has other classes; paths are below `distill`.
    """
    return tuple(_lesson(task, tasks, teachers, temperature) for task in tasks)


def _lesson(
    task: Task, tasks: Sequence[Task], teachers: Sequence[Teacher], temperature: float
) -> Lesson:
    if task.target.kind != "values" and not has_logits(task):
        message = f"{task.loss.kind} has no logits, which a temperature divides"
        raise config_fault(message, hint="use cross_entropy, or bce_with_logits", path=("weight",))
    known = tuple(answering(task, teachers, is_only=len(tasks) == 1))
    return LESSONS[task.target.kind](task, known, temperature)


def in_units(
    lesson: Lesson,
    teachers: Sequence[Teacher],
    normalize_targets: Mapping[str, Normalize],
    device: torch.device,
) -> Lesson:
    """The lesson with the units of its values, once the student's normalisation is known."""
    if not isinstance(lesson, ValueLesson):
        return lesson
    mine = _statistics(normalize_targets.get(lesson.task.target.name), lesson)
    units = list[tuple[Tensor, Tensor]]()
    for each in lesson.answering:
        given = teachers[each.teacher].normalize_targets.get(each.task.target.name)
        mean, std = _statistics(given, lesson)
        units.append(((std / mine[1]).to(device), ((mean - mine[0]) / mine[1]).to(device)))
    return ValueLesson(lesson.task, lesson.answering, lesson.temperature, tuple(units))


def _statistics(normalize: Normalize | None, lesson: Lesson) -> tuple[Tensor, Tensor]:
    count = lesson.summed
    return normalize.tensors() if normalize else (torch.zeros(count), torch.ones(count))
