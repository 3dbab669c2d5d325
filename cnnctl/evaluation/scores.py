"""The numbers that training reports: loss, accuracy and the monitored metric, by head."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import torch
from torch import Tensor

from cnnctl.experiment import Task
from cnnctl.metrics import Accuracy, MeanLoss, Predictions, Watched


def score(
    tasks: Sequence[Task], outputs: Tensor, targets: Tensor, *, watched: Sequence[Watched] = ()
) -> dict[str, float]:
    """Loss, accuracy of classes and labels, and other watched metrics; with heads, also those of
    each head.

    The loss is the weighted sum of the heads', each a mean over the samples; every other metric is
    the mean of the heads'.
    """
    parts = {task.name: task.of(outputs, targets) for task in tasks}
    losses = {task.name: mean_loss(task, *parts[task.name]) for task in tasks}
    classifying = [task for task in tasks if task.target.kind in Accuracy.measures]
    shares = [accuracy(task, *parts[task.name]) for task in classifying]
    found = {MeanLoss.kind: sum(task.weight * losses[task.name] for task in tasks)}
    found |= by_head(Accuracy.kind, classifying, shares)
    if watched:
        given = {task.name: predictions(task, *parts[task.name]) for task in classifying}
        for metric in watched:
            fitting = [task for task in classifying if task.target.kind in metric.measures]
            values = [metric.of(given[task.name]) for task in fitting]
            found |= by_head(metric.kind, fitting, values)
    return found | {task.metric(MeanLoss.kind): losses[task.name] for task in tasks if task.name}


def by_head(metric: str, tasks: Sequence[Task], values: Sequence[float]) -> dict[str, float]:
    """A metric of these tasks: their mean, and that of each head; empty without tasks."""
    named = {task.metric(metric): own for task, own in zip(tasks, values, strict=True) if task.name}
    return {metric: fmean(values), **named} if values else {}


@torch.no_grad()
def mean_loss(task: Task, outputs: Tensor, targets: Tensor) -> float:
    """The mean loss of these samples, even if training minimises the sum."""
    loss = task.loss.model_copy(update={"reduction": "mean"}).build()
    return float(loss.to(outputs.device)(outputs, targets))


def predictions(task: Task, outputs: Tensor, targets: Tensor) -> Predictions:
    """What is said for a task with classes or labels, (N, outputs), beside its targets."""
    return Predictions(
        mean_loss(task, outputs, targets),
        task.predict(outputs).cpu(),
        task.actual(targets).cpu(),
        task.target.class_names,
        task.probabilities(outputs).cpu(),
        task.thresholds,
    )


def accuracy(task: Task, outputs: Tensor, targets: Tensor) -> float:
    """The fraction of samples that are predicted correctly."""
    return float(task.is_right(outputs, targets).double().mean())
