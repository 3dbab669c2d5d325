"""What a student is to learn from its teachers: opened, checked against it, and nothing more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from cnnctl.distillation.features import check_layer, output_shapes
from cnnctl.distillation.inputs import check_inputs, describe_inputs
from cnnctl.distillation.lessons import Lesson, lessons_of
from cnnctl.distillation.teachers import Teacher, open_teacher, would_download
from cnnctl.errors import FaultError, below, config_fault
from cnnctl.experiment import Experiment, Loaded
from cnnctl.experiment.distill import Distillation
from cnnctl.model.layer import Shape
from cnnctl.model.network import NetworkPlan, new_meta_network
from cnnctl.optim.transfers import Transfer

SECTION = "distill"


@dataclass(frozen=True, slots=True)
class LayerPair:
    """A layer of the student and the layer of the first teacher that it learns from."""

    transfer: Transfer
    student: Shape
    """The shape of its output for one sample."""
    teacher: Shape


@dataclass(frozen=True, slots=True)
class DistillationPlan:
    """The teachers of a student, and what it learns from them."""

    settings: Distillation
    """With the hashes of the teachers."""
    teachers: tuple[Teacher, ...]
    lessons: tuple[Lesson, ...]
    """Empty where only layers are learned."""
    pairs: tuple[LayerPair, ...]

    def describe(self, experiment: Experiment) -> Iterator[str]:
        """A line on each teacher."""
        for teacher in self.teachers:
            facts = [f"{teacher.parameters:,} parameters"]
            if teacher.accuracy is not None:
                facts.append(f"validation accuracy {teacher.accuracy:.2%}")
            if teacher.is_by_chance:
                facts.append("hardly better than guessing")
            if teacher.data != experiment.data.kind:
                facts.append(f"trained on {teacher.data}, not {experiment.data.kind}")
            facts += filter(None, [describe_inputs(experiment.data, teacher)])
            yield f"teacher {teacher.source.called}: {', '.join(facts)}"


def plan_distillation(loaded: Loaded) -> DistillationPlan | None:
    """Open the teachers of an experiment and check them; None if it has none.

    Raises:
        FaultError: a teacher is missing, damaged, or not the recorded one; it has other classes,
            or cannot be given the samples; a layer does not exist or fit. Paths are those of the
            experiment.
    """
    settings = loaded.experiment.distill
    if settings is None:
        return None
    with below(SECTION):
        teachers = tuple(_opened(loaded, settings))
        lessons: tuple[Lesson, ...] = ()
        if settings.weight:
            tasks = [task for task in loaded.tasks if not task.is_auxiliary]
            lessons = lessons_of(tasks, teachers, temperature=settings.temperature)
        pairs = tuple(_pairs(settings.layers, loaded.plan, teachers[0]))
    sources = [teacher.source.model_copy(update={"sha256": teacher.sha256}) for teacher in teachers]
    settings = settings.model_copy(update={"teacher": sources})
    return DistillationPlan(settings, teachers, lessons, pairs)


def _opened(loaded: Loaded, settings: Distillation) -> Iterator[Teacher]:
    data = loaded.experiment.data
    for index, source in enumerate(settings.teacher):
        with below("teacher", index), in_the_experiment():
            teacher = open_teacher(source, input=loaded.description.shape)
            check_inputs(data, teacher)
            yield teacher


@contextmanager
def in_the_experiment() -> Iterator[None]:
    """A context in which faults of files become faults of the options that name them."""
    try:
        yield
    except FaultError as error:
        faults = [
            replace(
                fault,
                message=f"{fault.place}: {fault.message}" if fault.place else fault.message,
                place="",
                path=(),
            )
            for fault in error.faults
        ]
        raise FaultError(*faults, exit_code=error.exit_code) from None


def _pairs(
    transfers: Sequence[Transfer], plan: NetworkPlan, teacher: Teacher
) -> Iterator[LayerPair]:
    if not transfers:
        return
    student, other = new_meta_network(plan), teacher.on_meta()
    for index, transfer in enumerate(transfers):
        with below("layers", index, transfer.kind):
            of = f"the teacher {teacher.source.called}"
            check_layer(student, transfer.student, option="student", of="the network")
            check_layer(other, transfer.teacher, option="teacher", of=of)
    mine = output_shapes(student, plan.input, [transfer.student for transfer in transfers])
    others = output_shapes(other, teacher.input, [transfer.teacher for transfer in transfers])
    for index, transfer in enumerate(transfers):
        with below("layers", index, transfer.kind):
            pair = LayerPair(
                transfer,
                _shape(mine, transfer.student, option="student"),
                _shape(others, transfer.teacher, option="teacher"),
            )
            transfer.check(pair.student, pair.teacher)
            yield pair


def _shape(shapes: Mapping[str, Shape], name: str, *, option: str) -> Shape:
    if name not in shapes:
        message = f"{name} does not output one tensor in evaluation mode"
        raise config_fault(message, hint="name the layer around it", path=(option,))
    return shapes[name]


def with_hashes(loaded: Loaded) -> Loaded:
    """The experiment with the hashes of its teachers, which are checked.

    Raises:
        FaultError: see `plan_distillation`; with their places.
    """
    with loaded.places():
        plan = plan_distillation(loaded)
    if plan is None:
        return loaded
    experiment = loaded.experiment.model_copy(update={SECTION: plan.settings})
    return replace(loaded, experiment=experiment)


def would_download_teachers(experiment: Experiment) -> bool:
    """Whether checking the teachers would download one."""
    return experiment.distill is not None and any(map(would_download, experiment.distill.teacher))


def without_teachers(loaded: Loaded) -> Loaded:
    """The experiment as one that learns from its targets alone, for those who only look at it."""
    experiment = loaded.experiment.model_copy(update={SECTION: None})
    return replace(loaded, experiment=experiment)


def are_the_same(asked: Distillation | None, before: Distillation | None) -> bool:
    """Whether both have the same teachers, by their hashes, wherever they are stored."""
    if asked is None or before is None:
        return False
    mine, others = ([source.sha256 for source in each.teacher] for each in (asked, before))
    return None not in mine and mine == others
