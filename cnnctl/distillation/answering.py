"""Which of the teachers' outputs answer a task of the student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from cnnctl.config.wording import show
from cnnctl.distillation.softening import has_logits, logits_of
from cnnctl.distillation.teachers import Teacher
from cnnctl.errors import closest, config_fault, did_you_mean
from cnnctl.experiment import Task
from cnnctl.target import NOUNS


@dataclass(frozen=True, slots=True)
class Answering:
    """A teacher's answer to a task of the student."""

    teacher: int
    """Which of the teachers."""
    task: Task
    """The teacher's."""
    columns: tuple[int, ...]
    """The teacher's number of each of the student's classes or labels; empty for values."""

    def logits(self, outputs: Sequence[Tensor]) -> Tensor:
        """The logits of the student's classes; outputs of each teacher in, (N, C) out."""
        logits = logits_of(self.task, self.task.of_outputs(outputs[self.teacher]))
        if self.columns == tuple(range(logits.shape[1])):
            return logits
        return logits[:, list(self.columns)]


def answering(task: Task, teachers: Sequence[Teacher], *, is_only: bool) -> list[Answering]:
    """The answers of the teachers that know a task, which is the student's only one or not.

    Raises:
        FaultError: no teacher knows it, or one has other classes; paths are below `distill`.
    """
    known = list[Answering]()
    for index, teacher in enumerate(teachers):
        own = _task_for(task, teacher, is_only=is_only)
        if own is not None:
            known.append(_answering(task, index, teacher, own))
    if not known:
        of_them = [own.target.name for teacher in teachers for own in teacher.tasks]
        message = f"no teacher knows {show(task.target.name)}"
        hint = did_you_mean(closest(task.target.name, of_them)) or "use a teacher with this target"
        raise config_fault(message, hint=hint, path=("teacher",))
    return known


def _task_for(task: Task, teacher: Teacher, *, is_only: bool) -> Task | None:
    """The teacher's task of the same target; two that have one task each may name it otherwise."""
    same = (own for own in teacher.tasks if own.target.name == task.target.name)
    alone = teacher.tasks[0] if is_only and len(teacher.tasks) == 1 else None
    return next(same, alone)


def _answering(task: Task, index: int, teacher: Teacher, own: Task) -> Answering:
    path, called, mine, other = ("teacher", index), teacher.source.called, task.target, own.target
    if other.kind != mine.kind:
        message = f"{called} knows {NOUNS[other.kind]}, not {NOUNS[mine.kind]}"
        raise config_fault(message, hint="use a teacher with this target", path=path)
    if mine.kind == "values":
        if own.output != task.output:
            message = f"{called} knows {own.output[0]} values, not {task.output[0]}"
            raise config_fault(message, hint="use a teacher with this target", path=path)
        return Answering(index, own, ())
    if not has_logits(own):
        message = f"{called} has no logits, which a temperature divides: its loss is"
        hint = "use a teacher that was trained with cross_entropy or bce_with_logits"
        raise config_fault(f"{message} {own.loss.kind}", hint=hint, path=path)
    return Answering(index, own, _columns(mine.class_names, other.class_names, called, path))


def _columns(
    mine: Sequence[str], others: Sequence[str], called: str, path: tuple[str | int, ...]
) -> tuple[int, ...]:
    """The teacher's number of each class of the student.

    A teacher may know more classes: the softmax is then over those of the student.

    Raises:
        FaultError: it lacks one, or two of its classes have its name.
    """
    lacking = [name for name in mine if name not in others]
    if lacking:
        some = ", ".join(map(show, lacking[:5])) + (", …" if len(lacking) > 5 else "")
        message = f"{called} does not know {some}"
        hint = did_you_mean(closest(lacking[0], others)) or "use a teacher of the same classes"
        raise config_fault(message, hint=hint, path=path)
    for name in mine:
        if others.count(name) > 1:
            message = f"{called} has several classes named {show(name)}"
            raise config_fault(message, hint="list its classes by other names", path=path)
    return tuple(map(others.index, mine))
