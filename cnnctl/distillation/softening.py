"""Softened answers, and the losses between those of a teacher and of its student.

z are logits, T is the temperature: Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural
Network" (2015), https://arxiv.org/abs/1503.02531.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from cnnctl.experiment import Task
from cnnctl.optim.losses.binary import BinaryLoss

NEAREST = 1e-7
"""How close to 0 and 1 a probability is taken, of which the logit is needed."""


def has_logits(task: Task) -> bool:
    """Whether logits follow from the outputs of a task with classes or labels."""
    return task.loss.outputs != "values"


def is_independent(task: Task) -> bool:
    """Whether each output is a probability by itself, and not one of several that sum to 1.

    A single output for two classes stands for both of them, which sum to 1.
    """
    is_binary = isinstance(task.loss, BinaryLoss)
    return is_binary and (task.target.kind == "labels" or task.output[0] > 1)


def logits_of(task: Task, outputs: Tensor) -> Tensor:
    """The logits of all classes or labels; (N, outputs) in, (N, C) out.

    A single output z for two classes is (0, z): the softmax of both is its sigmoid.
    """
    if task.loss.outputs == "probabilities":
        shares = outputs.clamp(NEAREST, 1 - NEAREST)
        outputs = shares.logit() if isinstance(task.loss, BinaryLoss) else shares.log()
    if task.target.kind == "class" and outputs.shape[1] == 1:
        outputs = torch.cat([torch.zeros_like(outputs), outputs], dim=1)
    return outputs


def softened(logits: Tensor, *, temperature: float, independent: bool) -> Tensor:
    """softmax(z / T), or sigmoid(z / T) of independent outputs; (N, C) in and out."""
    warm = logits / temperature
    return warm.sigmoid() if independent else warm.softmax(dim=1)


def divergence(logits: Tensor, shares: Tensor, *, temperature: float) -> Tensor:
    """Σ p log(p / q) over classes and samples, with q = softmax(z / T) of the student.

    Args:
        logits: z of the student, (N, C).
        shares: p of the teacher, (N, C).
    """
    return functional.kl_div((logits / temperature).log_softmax(dim=1), shares, reduction="sum")


def binary_cross_entropy(logits: Tensor, shares: Tensor, *, temperature: float) -> Tensor:
    """Σ -p log q - (1 - p) log(1 - q) over labels and samples, with q = sigmoid(z / T)."""
    warm = logits / temperature
    return functional.binary_cross_entropy_with_logits(warm, shares, reduction="sum")
