"""The losses of answers that need no network, to which those of a network are compared."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, optim

from cnnctl.data.loader import Batches
from cnnctl.diagnosis.facts import Yardstick
from cnnctl.experiment import Task

SAMPLES = 4096
"""Training samples whose targets are looked at."""
ITERATIONS = 50
MOST_CLASSES = 1000
"""Classes up to which the least loss is computed."""


def yardstick_of(tasks: Sequence[Task], batches: Batches) -> Yardstick:
    """The yardstick for the total loss of these tasks on the samples of these batches."""
    targets = batches.source.targets(batches.order(0)[:SAMPLES]).cpu()
    constant = least = 0.0
    for task in tasks:
        own = task.own_targets(targets)
        constant += task.weight * constant_loss(task, own)
        least += task.weight * least_loss(task, own)
    return Yardstick(constant, least)


def constant_loss(task: Task, targets: Tensor) -> float:
    """The mean loss of the best answer that is the same for all samples.

    Found by L-BFGS with the loss itself, so that class weights, label smoothing and focal loss need
    no formulas of their own.
    """
    start = torch.zeros(1, task.output[0])
    if task.target.kind == "values":
        start = targets.float().mean(dim=0, keepdim=True).reshape(1, -1)
    return _least(task, start, targets, rows=torch.zeros(len(targets), dtype=torch.int64))


def least_loss(task: Task, targets: Tensor) -> float:
    """The mean loss of the best answer for each class; 0 for labels and values."""
    if task.target.kind != "class" or targets.is_floating_point():
        return 0.0
    known, rows = torch.unique(targets, return_inverse=True)
    if len(known) > MOST_CLASSES or not getattr(task.loss, "label_smoothing", 0):
        return 0.0
    return _least(task, torch.zeros(len(known), task.output[0]), targets, rows=rows)


def _least(task: Task, start: Tensor, targets: Tensor, *, rows: Tensor) -> float:
    """The least mean loss with one answer (K, outputs) for each of K groups of targets."""
    answers = start.clone().requires_grad_()
    loss_of = task.loss.model_copy(update={"reduction": "mean"}).build()
    optimizer: optim.Optimizer = optim.LBFGS(
        [answers], max_iter=ITERATIONS, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        found: Tensor = loss_of(_as_outputs(task, answers)[rows], targets)
        return found

    def closure() -> float:
        optimizer.zero_grad()
        value = loss()
        torch.autograd.backward(value)
        return value.item()

    with torch.enable_grad():
        optimizer.step(closure)
    with torch.no_grad():
        return float(loss())


def _as_outputs(task: Task, answers: Tensor) -> Tensor:
    """Logits or values as what the loss expects."""
    kind = task.loss.outputs
    if kind == "log_probabilities":
        return answers.log_softmax(dim=1)
    if kind != "probabilities":
        return answers
    is_shared = task.target.kind == "class" and answers.shape[1] > 1
    return answers.softmax(dim=1) if is_shared else answers.sigmoid()
