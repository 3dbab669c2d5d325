"""Chooses a plane through the inputs or a layer of a network, and evaluates the network there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, prod, sqrt

import torch
from torch import Tensor

from cnnctl.config.wording import shape_of_sample
from cnnctl.data.preparation import SplitName
from cnnctl.errors import config_fault, nearest
from cnnctl.experiment import Task
from cnnctl.plotting.landscape import Axis, Landscape, ShownSamples
from cnnctl.plotting.planes import Plane, along, numbers_of, principal, through
from cnnctl.plotting.spaces import InputSpace, LayerSpace, Space
from cnnctl.subject import Chosen, Subject

MOST_SAMPLES = 2000
MOST_NUMBERS = 2**25
"""Coordinates of all samples together, of which principal components are computed."""
LINE = 400
"""Points of a line."""
FINEST, COARSEST = 200, 50
"""Points of a plane in each direction: fewer for a network that computes long."""
BUDGET = 4e8
"""Numbers that all layers compute for a plane."""
GRID = 13
"""Lines of a grid in each direction."""
BEYOND_LINE, BEYOND_PLANE = 0.5, 0.15
"""Drawn beyond the samples on each side, as a share of their range."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to look at; what is not given follows from the network."""

    split: SplitName | None = None
    layer: str = ""
    features: Sequence[str] = ()
    """Two coordinates, by name or number."""
    plane: Sequence[int] = ()
    """Three samples."""
    head: str = ""
    output: str = ""
    """A class, label or value, by name or number."""
    margin: float | None = None
    """Drawn beyond the samples, as a share of their range."""


@dataclass(frozen=True, slots=True)
class View:
    """A plane through a space, samples to show there, and the answer to draw."""

    subject: Subject
    space: Space
    plane: Plane
    chosen: Chosen
    split_size: int
    task: Task
    output: int | None
    """The class, label or value that is drawn alone; None for all classes."""
    margin: float

    def at(self, plane: Plane) -> View:
        """The same on another plane."""
        return replace(self, plane=plane)

    def places(self) -> Tensor:
        """The places of the samples, (N, 2), or (N, 1) on a line."""
        return self.plane.places(self.space.of(self.chosen.inputs))

    def axes(self) -> tuple[Axis, ...]:
        """The axes that show all samples."""
        places = self.places()
        return tuple(
            _axis(name, places[:, number], self.margin)
            for number, name in enumerate(self.plane.names)
        )

    def landscape(
        self, axes: Sequence[Axis] = (), *, resolution: int | None = None, epoch: int | None = None
    ) -> Landscape:
        """Evaluate the network, with the weights that it has now, on the plane."""
        shown = tuple(axes) or self.axes()
        experiment = self.subject.experiment
        epoch = self.subject.trained.epoch if epoch is None else epoch
        known = "" if epoch is None else f", epoch {epoch}" if epoch else ", before training"
        target = self.task.target
        is_single = self.output is not None
        names = target.class_names or tuple(str(n) for n in range(target.outputs))
        samples = self._samples()
        return Landscape(
            f"{experiment.name}{known}",
            shown,
            () if is_single else target.class_names,
            "probability" if self.output is None else _quantity(self.task, names[self.output]),
            self._answers(shown, resolution),
            samples,
            tuple(self._remarks(samples)),
            tuple(self._grid()),
        )

    def _answers(self, axes: Sequence[Axis], resolution: int | None) -> Tensor | None:
        if isinstance(self.space, LayerSpace) and not self.space.goes_on:
            return None
        count = resolution or self.resolution
        ticks = [axis.values(count) for axis in axes]
        # the vertical axis changes slowest, so that rows of the plane are rows of the result
        places = torch.cartesian_prod(*reversed(ticks)).reshape(-1, len(axes)).flip(1)
        answers = self.answers(self.space.outputs(self.plane.points(places)))
        return answers.reshape(*[count] * len(axes), -1)

    @property
    def resolution(self) -> int:
        """Points in each direction."""
        if len(self.plane.names) == 1:
            return LINE
        numbers = sum(prod(layer.output) for layer in self.subject.trained.plan.leaves())
        return min(FINEST, max(COARSEST, int(sqrt(BUDGET / max(numbers, 1)))))

    def answers(self, outputs: Tensor) -> Tensor:
        """The probability of each class (N, C), or one label, value or class alone (N, 1)."""
        own = outputs if self.task.outputs is None else outputs[:, self.task.outputs]
        if self.task.target.kind == "values":
            found = self.subject.trained.in_own_units(self.task, own)
        else:
            found = self.task.probabilities(own)
        return found if self.output is None else found[:, self.output : self.output + 1]

    def _samples(self) -> ShownSamples:
        network = self.subject.trained.network
        answers = self.answers(self.space.in_blocks(network, self.chosen.inputs))
        answered = answers.argmax(dim=1) if self.output is None else answers[:, 0]
        return ShownSamples(self.chosen.names, self.places(), self._targets(), answered)

    def _targets(self) -> Tensor:
        assert self.chosen.targets is not None  # samples of a split have them
        own = self.task.own_targets(self.chosen.targets).cpu()
        if self.task.target.kind == "class":
            classes = own.argmax(dim=1) if own.is_floating_point() else own
            return classes if self.output is None else (classes == self.output).float()
        if self.task.target.kind == "values":
            own = self.subject.trained.in_own_units(self.task, own)
        assert self.output is not None
        return own[:, self.output].float()

    def _remarks(self, samples: ShownSamples) -> list[str]:
        count, split = len(samples.names), self.chosen.split
        of = f" of {self.split_size:,}" if count < self.split_size else ""
        counted = f"{count:,}{of} {'training' if split == 'train' else split} samples"
        if self.output is None:
            right = float((samples.answers == samples.targets).float().mean())
            counted += f", {right:.1%} right"
        remarks = [counted, self.plane.remark]
        if isinstance(self.space, LayerSpace) and not self.space.goes_on:
            remarks.append(f"{self.space.layer} is within a block: its samples have no regions")
        return [remark for remark in remarks if remark]

    def _grid(self) -> list[Tensor]:
        """What a layer makes of a grid in the plane of two inputs."""
        if not isinstance(self.space, LayerSpace) or self.subject.shape != (2,):
            return []
        inputs = InputSpace(self.subject)
        points = inputs.of(self.chosen.inputs)
        ticks = [_axis("", points[:, number], 0.0) for number in range(2)]
        lines = []
        for number in range(2):
            for fixed in ticks[number].values(GRID):
                free = ticks[1 - number].values(4 * GRID)
                pair = [free, free]
                pair[number] = fixed.expand(len(free))
                places = inputs.inputs(torch.stack(pair, dim=1))
                lines.append(self.plane.places(self.space.of(places)))
        return lines


def _axis(name: str, values: Tensor, margin: float) -> Axis:
    low, high = float(values.min()), float(values.max())
    around = (high - low) * margin if high > low else abs(low) / 2 or 1.0
    return Axis(name, low - around, high + around)


def _quantity(task: Task, name: str) -> str:
    kind = task.target.kind
    if kind != "values":
        return f"probability of {name}"
    return task.target.name if task.target.outputs == 1 else f"{task.target.name}[{name}]"


def view_of(subject: Subject, wish: Wish) -> View:
    """What to draw of a network.

    Raises:
        FaultError: there is no such layer, feature, sample, head or output; or a choice is needed.
    """
    space: Space = LayerSpace(subject, wish.layer) if wish.layer else InputSpace(subject)
    if wish.features and wish.plane:
        message = "--features and --plane are mutually exclusive"
        raise config_fault(message, hint="give one of them")
    if not (wish.layer or wish.features or wish.plane or len(space.names) <= 2):
        raise _choice_needed(subject)
    task = _task_of(subject, wish.head)
    name = wish.split or subject.default_split()
    size = len(subject.split(name)[0])
    most = max(3, min(MOST_SAMPLES, MOST_NUMBERS // len(space.names)))
    positions = list(wish.plane) or range(0, size, ceil(size / most))
    chosen = subject.chosen(positions, name)
    plane = _plane(space, wish, chosen)
    is_line = len(plane.names) == 1
    return View(
        subject,
        space,
        plane,
        chosen,
        len(chosen) if wish.plane else size,
        task,
        _output_of(task, wish.output),
        wish.margin if wish.margin is not None else BEYOND_LINE if is_line else BEYOND_PLANE,
    )


def _choice_needed(subject: Subject) -> Exception:
    message = f"samples of {shape_of_sample(subject.shape)} cannot be drawn on a plane"
    hint = "choose two of them with --features 0,3, three samples with --plane 0,1,2, or --layer"
    return config_fault(message, hint=hint)


def _plane(space: Space, wish: Wish, chosen: Chosen) -> Plane:
    points, width = space.of(chosen.inputs), len(space.names)
    if wish.plane:
        if len(set(wish.plane)) != 3:
            message = f"--plane takes three different samples, not {len(set(wish.plane))}"
            raise config_fault(message, hint="such as --plane 3,17,40")
        return through(points, chosen.names)
    if wish.features:
        return along(numbers_of(wish.features, space.names), space.names, points)
    if width <= 2:
        return along(range(width), space.names, points)
    return principal(points)


def _task_of(subject: Subject, head: str) -> Task:
    heads = {task.name: task for task in subject.tasks if task.name}
    if not head:
        return subject.tasks[0]
    if head not in heads:
        hint = nearest(head, list(heads)) or "leave out --head: the network has no heads"
        raise config_fault(f"--head: there is no head {head}", hint=hint)
    return heads[head]


def _output_of(task: Task, output: str) -> int | None:
    """The class, label or value to draw alone; None for all classes."""
    if not output:
        return None if task.target.kind == "class" else 0
    names = list(task.target.class_names) or [str(n) for n in range(task.target.outputs)]
    if output in names:
        return names.index(output)
    if output.isdecimal() and int(output) < len(names):
        return int(output)
    raise config_fault(f"--output: there is no {output}", hint=nearest(output, names))
