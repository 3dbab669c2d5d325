"""Steps along an orthogonal matrix."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Annotated, Any, Literal

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, optim

from cnnctl.config.bounds import Momentum, NonNegativeFloat, PositiveFloat
from cnnctl.optim.optimizers.adam import AdamW
from cnnctl.optim.optimizers.optimizer import Groups, Optimizer, refuse_as_part
from cnnctl.optim.working import Update

QUINTIC = (3.4445, -4.775, 2.0315)
"""Coefficients of the iteration: those of https://kellerjordan.github.io/posts/muon."""
Adjustment = Literal["original", "match_rms_adamw", "spectral_unclamped", "none"]


def _beside_others(optimizer: Optimizer) -> Optimizer:
    refuse_as_part(optimizer)
    return optimizer


class Muon(Optimizer, kind="muon"):
    """Muon: momentum, orthogonalised for each weight matrix (Jordan et al. 2024).

    A kernel of a convolution counts as a matrix with a row for each output channel. Biases and the
    parameters of norms are updated by another optimizer, `others`.
    """

    usual_lr = (1e-4, 1.0)
    keeps = 1  # averages of gradients
    decouples_decay = True
    beside = ("others",)

    lr: PositiveFloat = 2e-2
    """Learning rate."""
    momentum: Momentum = 0.95
    """Momentum factor."""
    nesterov: bool = True
    """Use Nesterov momentum (Nesterov 1983)."""
    weight_decay: NonNegativeFloat = 0.0
    """Decoupled weight decay: shrinks weights by lr * weight_decay in each step."""
    ns_steps: Annotated[int, Field(gt=0, lt=100)] = 5
    """Steps of the Newton-Schulz iteration that orthogonalises."""
    eps: PositiveFloat = 1e-7
    """Lower bound of the norm that the iteration divides by."""
    adjust_lr_fn: Adjustment = "original"
    """Factor on the rate of an (A, B) matrix: sqrt(max(1, A / B)) with `original`,
    0.2 sqrt(max(A, B)) with `match_rms_adamw`, sqrt(A / B) with `spectral_unclamped`, or 1."""
    normalize: bool = False
    """Scale each weight to the norm sqrt(A) before its step, for networks whose norms undo it."""
    others: Annotated[Optimizer, AfterValidator(_beside_others)] = AdamW()
    """Optimizer of biases and of the parameters of norms."""

    def of(self, weight: Tensor) -> Optimizer:
        return self if weight.ndim > 1 else self.others

    def parts(self) -> tuple[Optimizer, ...]:
        return self, self.others

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return OrthogonalizedMomentum(groups, **self.arguments())

    def work(self, update: Update) -> None:
        lr, momentum = update.settings["lr"], update.settings["momentum"]
        if self.normalize:
            size = sqrt(len(update.weight))
            scaled = update.weight * (size / update.weight.norm())
            update.weight = update.term("W", f"{size:g} W / |W|", scaled)
        update.decay_apart()
        step, symbol = update.average("m", "momentum_buffer", momentum), "m"
        if self.nesterov:
            formula = f"{1 - momentum:g} {update.symbol} + {momentum:g} m"
            step = update.term("s", formula, (1 - momentum) * update.gradient + momentum * step)
            symbol = "s"
        whitened = orthogonalized(step, steps=self.ns_steps, eps=self.eps)
        formula = f"U Vᵀ of {symbol} = U Σ Vᵀ, in {self.ns_steps} Newton-Schulz steps"
        whitened = update.term("o", formula, whitened)
        rate = lr * adjustment(step, self.adjust_lr_fn)
        update.move(f"{rate:g} o", rate * whitened)


class OrthogonalizedMomentum(optim.Optimizer):
    """Muon, as torch.optim.Muon, for weights of any shape, as a matrix with a row for each output.

    https://github.com/KellerJordan/Muon, and with `normalize` as in
    https://github.com/KellerJordan/cifar10-airbench.
    """

    def __init__(
        self,
        params: Groups,
        lr: float = 2e-2,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: float = 0.0,
        ns_steps: int = 5,
        eps: float = 1e-7,
        adjust_lr_fn: Adjustment = "original",
        normalize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "nesterov": nesterov}
        defaults |= {"weight_decay": weight_decay, "ns_steps": ns_steps, "eps": eps}
        super().__init__(params, defaults | {"adjust_lr_fn": adjust_lr_fn, "normalize": normalize})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Update the weights that have gradients; returns the loss of the closure, if any."""
        with torch.enable_grad():
            loss = closure() if closure else None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, weight.grad, group)
        return loss

    def _move(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        average, momentum, lr = self._average_of(weight), group["momentum"], group["lr"]
        average.lerp_(gradient, 1 - momentum)
        step = gradient.lerp(average, momentum) if group["nesterov"] else average
        if group["normalize"]:
            weight.mul_(sqrt(len(weight)) / weight.norm())
        weight.mul_(1 - lr * group["weight_decay"])
        whitened = orthogonalized(step, steps=group["ns_steps"], eps=group["eps"])
        weight.add_(whitened, alpha=-lr * adjustment(weight, group["adjust_lr_fn"]))

    def _average_of(self, weight: Tensor) -> Tensor:
        state: dict[str, Tensor] = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        return state["momentum_buffer"]


def orthogonalized(gradient: Tensor, *, steps: int, eps: float) -> Tensor:
    """Roughly U Vᵀ of the gradient U Σ Vᵀ, as a matrix (A, B); the singular values are near 1.

    (A, …) in and out. In bf16 on a GPU, as published; on a CPU, where that is slower, as it is.
    """
    a, b, c = QUINTIC
    matrix = gradient.reshape(len(gradient), -1)
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    wide = wide if gradient.device.type == "cpu" else wide.bfloat16()
    wide = wide / wide.norm().clamp(min=eps)  # the iteration needs singular values up to 1
    for _ in range(steps):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    found = wide.T if matrix.shape[0] > matrix.shape[1] else wide
    return found.reshape(gradient.shape).to(gradient.dtype)


def adjustment(weight: Tensor, function: str) -> float:
    """The factor on the learning rate of a weight, as in torch.optim.Muon."""
    rows, columns = len(weight), weight[0].numel()
    if function == "original":
        return sqrt(max(1, rows / columns))
    if function == "match_rms_adamw":
        return 0.2 * sqrt(max(rows, columns))
    return sqrt(rows / columns) if function == "spectral_unclamped" else 1.0
