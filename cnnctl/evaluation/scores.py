"""The numbers that a training is followed by: loss and accuracy, of the whole and by head."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import torch
from torch import Tensor

from cnnctl.experiment import Task


def score(tasks: Sequence[Task], outputs: Tensor, targets: Tensor) -> dict[str, float]:
    """Loss, and accuracy where there are classes; with heads, each head's own as well.

    The loss is the weighted sum of the heads', each a mean over the samples; the accuracy is the
    mean of the heads'.
    """
    parts = {task.name: task.of(outputs, targets) for task in tasks}
    losses = {task.name: mean_loss(task, *parts[task.name]) for task in tasks}
    classifying = [task for task in tasks if task.target.kind == "class"]
    shares = [accuracy(task, *parts[task.name]) for task in classifying]
    found = {"loss": sum(task.weight * losses[task.name] for task in tasks)}
    found |= accuracies(classifying, shares)
    return found | {task.metric("loss"): losses[task.name] for task in tasks if task.name}


def accuracies(tasks: Sequence[Task], shares: Sequence[float]) -> dict[str, float]:
    """The accuracy, their mean, and each head's own; nothing where nothing has classes."""
    named = {f"{t.name}_accuracy": share for t, share in zip(tasks, shares, strict=True) if t.name}
    return {"accuracy": fmean(shares), **named} if shares else {}


@torch.no_grad()
def mean_loss(task: Task, outputs: Tensor, targets: Tensor) -> float:
    """The loss of these samples as a mean, also where training makes its sum small."""
    loss = task.loss.model_copy(update={"reduction": "mean"}).build()
    return float(loss.to(outputs.device)(outputs, targets))


def accuracy(task: Task, outputs: Tensor, targets: Tensor) -> float:
    """The share of right predictions."""
    return float((task.loss.predict(outputs) == targets).double().mean())
