"""The tasks of a network: for each head, its outputs, target and loss.

A network without heads has one task. Several tasks have their own columns of the outputs and of the
targets; auxiliary classifiers come last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from cnnctl.config.wording import show
from cnnctl.data.samples import DatasetInfo, Target
from cnnctl.errors import ConfigPath, config_fault, nearest
from cnnctl.experiment.spec import Experiment
from cnnctl.model.heads import HEADS, Auxiliary
from cnnctl.model.layer import Shape
from cnnctl.model.network import NetworkPlan, PlannedLayer
from cnnctl.optim.losses import Loss, Normalizer
from cnnctl.optim.losses.binary import BinaryLoss
from cnnctl.target import likeliest

Thresholds = Mapping[str, list[float]]
"""The thresholds of labels, by the name of the task; see `Task.name`."""


@dataclass(frozen=True, slots=True)
class Task:
    """A target to learn, with its loss and its columns."""

    name: str
    """The name of the head; empty without heads."""
    target: Target
    loss: Loss
    """The loss, including label smoothing."""
    layers: tuple[PlannedLayer, ...]
    """The layers that compute its outputs."""
    path: ConfigPath
    """The path to report faults at: its loss, or its head."""
    weight: float = 1.0
    """Weight of its loss in the total loss."""
    outputs: slice | None = None
    """Its columns of the outputs; None for all of them."""
    targets: slice | None = None
    """Its columns of the targets; None for all of them, in the form of the data."""
    is_auxiliary: bool = False
    """Whether it is used in training only."""

    @property
    def output(self) -> Shape:
        """The shape of its outputs."""
        return self.layers[-1].output

    def of(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Its outputs (N, outputs) and targets, in the form that its loss takes."""
        return self.of_outputs(outputs), self.own_targets(targets)

    def of_outputs(self, outputs: Tensor) -> Tensor:
        """Its outputs, (N, outputs); those of all tasks in."""
        return outputs if self.outputs is None else outputs[:, self.outputs]

    def own_targets(self, targets: Tensor) -> Tensor:
        """Its targets, in the form that its loss takes."""
        if self.targets is None:
            return targets
        targets = targets[:, self.targets]
        is_number = self.target.kind == "class" and not self.target.is_soft
        return targets[:, 0].long() if is_number else targets

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The probabilities above which its labels are predicted; none for other targets."""
        if self.target.kind != "labels" or not isinstance(self.loss, BinaryLoss):
            return ()
        return self.loss.thresholds(self.target.outputs)

    @property
    def measures_thresholds(self) -> bool:
        """Whether it has labels whose thresholds are left to be measured."""
        is_left = isinstance(self.loss, BinaryLoss) and self.loss.threshold == "auto"
        return is_left and self.target.kind == "labels"

    def with_thresholds(self, thresholds: Thresholds) -> Task:
        """The task with its own of these thresholds, if there are any."""
        if self.name not in thresholds:
            return self
        return replace(self, loss=_with_threshold(self.loss, thresholds[self.name]))

    def predict(self, outputs: Tensor) -> Tensor:
        """The likeliest class (N,) int64, or which labels are predicted (N, L) bool."""
        if self.target.kind == "labels":
            assert isinstance(self.loss, BinaryLoss)  # no other loss takes labels
            return self.loss.predict_labels(outputs)
        return self.loss.predict(outputs)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The probability of each class or label; (N, outputs) in, (N, C) float32 out."""
        if self.target.kind == "labels":
            return self.loss.activate(outputs.float())
        return self.loss.probabilities(outputs)

    def is_right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Whether each prediction is the class, or all of the labels; (N,) bool."""
        is_same = self.predict(outputs) == self.actual(targets)
        return is_same.all(dim=1) if self.target.kind == "labels" else is_same

    def actual(self, targets: Tensor) -> Tensor:
        """The class of each sample (N,) int64, or its labels (N, L) bool.

        Of probabilities, as those of mixed samples, the likeliest.
        """
        return targets > 0.5 if self.target.kind == "labels" else likeliest(targets)

    def metric(self, name: str) -> str:
        """The name of a metric of this task: `accuracy`, or `parity_accuracy`."""
        return f"{self.name}_{name}" if self.name else name


class LossOfEach(nn.Module):
    """The losses of all tasks, not weighted."""

    def __init__(self, tasks: Sequence[Task], losses: Sequence[Loss]) -> None:
        super().__init__()
        self.tasks = tasks
        self.losses = nn.ModuleList(loss.build() for loss in losses)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Outputs (N, columns) and targets in, (tasks,) out, or () for a single one."""
        parts = [
            loss(*task.of(outputs, targets))
            for task, loss in zip(self.tasks, self.losses, strict=True)
        ]
        return torch.stack(parts) if len(parts) > 1 else parts[0]


def build_loss(tasks: Sequence[Task], *, reduction: Literal["mean", "sum"]) -> nn.Module:
    """One module for these tasks: outputs and targets in, the loss of each task out.

    (tasks,), or () for a single one. Their weights are in `task_weights`.
    """
    losses = [task.loss.model_copy(update={"reduction": reduction}) for task in tasks]
    has_columns = tasks[0].outputs is not None
    return LossOfEach(tasks, losses) if has_columns else losses[0].build()


def build_normalizer(tasks: Sequence[Task], *, device: torch.device) -> Normalizer:
    """A function from targets to the denominator of each task's mean loss; shaped as the losses."""
    own = [task.loss.normalizer(outputs=task.output[0], device=device) for task in tasks]
    if len(tasks) == 1:
        return lambda targets: own[0](tasks[0].own_targets(targets))
    one = torch.zeros(1, dtype=torch.int64, device=device)
    of_one = torch.tensor([float(size(one)) for size in own], device=device)
    if not any(task.loss.is_weighted for task in tasks):
        return lambda targets: of_one * len(targets)

    def of_each(targets: Tensor) -> Tensor:
        sizes = of_one * len(targets)
        for index, (task, size) in enumerate(zip(tasks, own, strict=True)):
            if task.loss.is_weighted:
                sizes[index] = size(task.own_targets(targets))
        return sizes

    return of_each


def task_weights(tasks: Sequence[Task], *, device: torch.device) -> Tensor:
    """The weight of each task's loss in the total loss; shaped as the losses."""
    weights = torch.tensor([task.weight for task in tasks], device=device)
    return weights if len(tasks) > 1 else weights[0]


def with_thresholds(experiment: Experiment, thresholds: Thresholds) -> Experiment:
    """The experiment with these thresholds in the losses of its labels."""
    loss, heads = experiment.loss, dict(experiment.model.heads)
    for name, numbers in thresholds.items():
        if name:
            own = _with_threshold(heads[name].loss or loss, numbers)
            heads[name] = heads[name].model_copy(update={"loss": own})
        else:
            loss = _with_threshold(loss, numbers)
    model = experiment.model.model_copy(update={"heads": heads})
    return experiment.model_copy(update={"loss": loss, "model": model})


def _with_threshold(loss: Loss, threshold: list[float]) -> Loss:
    return loss.model_copy(update={"threshold": threshold})


def learned_targets(experiment: Experiment, description: DatasetInfo) -> tuple[Target, ...]:
    """The targets of the heads, in their order; without heads, the data's first target.

    Heads without a target, which `check` rejects, are omitted.
    """
    heads = experiment.model.heads
    if not heads:
        return description.targets[:1]
    known = {target.name: target for target in description.targets}
    return tuple(known[name] for name in heads if name in known)


def tasks_of(
    experiment: Experiment, plan: NetworkPlan, description: DatasetInfo
) -> tuple[Task, ...]:
    """All tasks of a network: its heads, or the one without, then its auxiliary classifiers."""
    own = list(_own_tasks(experiment, plan, description))
    aside = list(_auxiliary_tasks(plan, own))
    if len(own) == 1 and not own[0].name and not aside:
        return tuple(own)
    return tuple(_in_columns([*own, *aside]))


def _own_tasks(
    experiment: Experiment, plan: NetworkPlan, description: DatasetInfo
) -> Iterator[Task]:
    targets = learned_targets(experiment, description)
    smoothed = experiment.regularization.smoothed
    if not experiment.model.heads:
        yield Task("", targets[0], smoothed(experiment.loss), plan.layers, ("loss",))
        return
    for target, branch in zip(targets, plan.layers[-1].branches, strict=True):
        head = experiment.model.heads[target.name]
        path: ConfigPath = ("model", HEADS, target.name, *(["loss"] if head.loss else []))
        loss = smoothed(head.loss or experiment.loss)
        yield Task(target.name, target, loss, branch.layers, path, head.weight)


def _auxiliary_tasks(plan: NetworkPlan, own: Sequence[Task]) -> Iterator[Task]:
    """A task for every auxiliary classifier, with the target and the loss of the head it names."""
    by_name = {task.name: task for task in own}
    for planned, _ in plan.nested():
        if isinstance(planned.layer, Auxiliary):
            like = by_name.get(planned.layer.head or own[0].name)
            if like is None:
                message = f"no head is named {show(planned.layer.head)}"
                named = list(filter(None, by_name))
                hint = nearest(str(planned.layer.head), named) if named else "leave it out"
                raise config_fault(message, hint=hint, path=(*planned.path, "head"))
            yield replace(
                like,
                name=planned.name,
                layers=planned.branches[0].layers,
                path=planned.path,
                weight=planned.layer.weight,
                is_auxiliary=True,
            )


def _in_columns(tasks: Sequence[Task]) -> Iterator[Task]:
    """Assign the tasks their columns of outputs, in order, and of targets, by target."""
    bounds = accumulate((task.output[0] for task in tasks), initial=0)
    columns: dict[str, slice] = {}
    end = 0
    for task in tasks:
        if task.target.name not in columns:
            columns[task.target.name] = slice(end, end + task.target.columns)
            end += task.target.columns
    has_heads = bool(tasks[0].name)
    for task, (first, last) in zip(tasks, pairwise(bounds), strict=True):
        targets = columns[task.target.name] if has_heads else None
        yield replace(task, outputs=slice(first, last), targets=targets)
