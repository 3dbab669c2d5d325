"""Adversarial samples: small changes, in the units of the inputs, that raise the loss.

Captum's attacks are not used: they ignore gradients below 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from cnnctl.disturbance.units import Units
from cnnctl.experiment import Task
from cnnctl.experiment.tasks import build_loss, task_weights

Gradient = Callable[[Tensor], Tensor]
"""Values of a batch -> the gradient of its loss with respect to them; (N, …) in and out."""
Clip = Callable[[Tensor], Tensor]
"""Values -> the nearest ones within their bounds."""
SMALLEST = 1 / 256
"""The first distance at which `flip_distances` looks for another class."""


def loss_gradient(
    network: nn.Module, tasks: Sequence[Task], units: Units, targets: Tensor
) -> Gradient:
    """The gradient of the training loss, summed over samples, for these targets."""
    loss = build_loss(tasks, reduction="sum").to(targets.device)
    weights = task_weights(tasks, device=targets.device)

    def gradient(values: Tensor) -> Tensor:
        values = values.detach().requires_grad_()
        with torch.enable_grad():
            outputs = network(units.inputs(values)).float()
            total = (loss(outputs, targets) * weights).sum()
        if not total.requires_grad:  # a layer cuts the outputs off from the inputs
            return torch.zeros_like(values)
        (found,) = torch.autograd.grad(total, values, materialize_grads=True)
        return found.nan_to_num()

    return gradient


def fgsm(
    values: Tensor, gradient: Gradient, *, epsilon: float | Tensor, clip: Clip, towards: bool
) -> Tensor:
    """Move every value by epsilon up the gradient's sign: the fast gradient sign method.

    Goodfellow et al., arXiv 1412.6572. With `towards`, it moves down, towards the targets of the
    gradient. (N, …) in and out; epsilon is a number or broadcasts over the values.
    """
    step = -epsilon if towards else epsilon
    return clip(values + step * gradient(values).sign())


def pgd(
    values: Tensor,
    gradient: Gradient,
    *,
    epsilon: float | Tensor,
    steps: int,
    step_size: float | Tensor,
    clip: Clip,
    towards: bool,
    start: Tensor | None = None,
) -> Tensor:
    """Repeat small steps of `fgsm`, each projected to within epsilon of the values: projected
    gradient descent.

    Madry et al., arXiv 1706.06083. `start` has numbers from -1 to 1: where to begin, in epsilons.
    """
    lowest, highest = values - epsilon, values + epsilon
    moved = values if start is None else clip(values + epsilon * start)
    for _ in range(steps):
        stepped = fgsm(moved, gradient, epsilon=step_size, clip=clip, towards=towards)
        moved = torch.minimum(torch.maximum(stepped, lowest), highest)
    return moved


def flip_distances(
    is_flipped: Callable[[Tensor], Tensor],
    *,
    samples: int,
    at_most: float = 1.0,
    halvings: int = 12,
) -> Tensor:
    """The smallest epsilon of each sample that changes its class, (N,); inf if none does.

    `is_flipped` takes an epsilon (N,) for each sample, and tells which classes change. Epsilon is
    doubled until the class changes, then found between the last two by bisection.
    """
    low, high = torch.zeros(samples), torch.full((samples,), min(SMALLEST, at_most))
    found = is_flipped(high)
    while bool((~found & (high < at_most)).any()):
        low = torch.where(found, low, high)
        high = torch.where(found, high, (2 * high).clamp(max=at_most))
        found = found | is_flipped(high)
    for _ in range(halvings):
        middle = (low + high) / 2
        flips = is_flipped(middle)
        low, high = torch.where(flips, low, middle), torch.where(flips, middle, high)
    return torch.where(found, high, torch.inf)
