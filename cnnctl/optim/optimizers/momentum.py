"""Steps along the gradient or an average of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pydantic import ValidationInfo, field_validator
from torch import Tensor, optim

from cnnctl.config.bounds import Momentum, NonNegativeFloat, PositiveFloat, UnitInterval
from cnnctl.config.choice import refusal
from cnnctl.optim.optimizers.optimizer import Betas, Groups, Optimizer
from cnnctl.optim.working import Update


class SGD(Optimizer, kind="sgd"):
    """Stochastic gradient descent, optionally with momentum (Polyak 1964)."""

    usual_lr = (1e-3, 1.0)
    follows_gradients = True

    lr: PositiveFloat = 1e-3
    """Learning rate."""
    momentum: Momentum = 0.0
    """Momentum factor."""
    dampening: UnitInterval = 0.0
    """Dampening of the momentum."""
    weight_decay: NonNegativeFloat = 0.0
    """Weight decay, added to the gradient (L2)."""
    nesterov: bool = False
    """Use Nesterov momentum (Nesterov 1983)."""

    @field_validator("nesterov")
    @classmethod
    def _needs_momentum(cls, nesterov: bool, info: ValidationInfo) -> bool:
        if nesterov and (info.data.get("momentum") == 0 or info.data.get("dampening")):
            raise refusal(
                "nesterov needs momentum above 0 and no dampening",
                hint="add momentum: 0.9, and leave dampening out",
            )
        return nesterov

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.SGD(groups, fused=fused, **self.arguments())

    def work(self, update: Update) -> None:
        update.decay()
        lr, momentum = update.settings["lr"], update.settings["momentum"]
        step, symbol = update.gradient, update.symbol
        if momentum:
            velocity = self._velocity(update, momentum)
            step, symbol = velocity, "v"
            if self.nesterov:
                formula = f"{update.symbol} + {momentum:g} v"
                step = update.term("s", formula, update.gradient + momentum * velocity)
                symbol = "s"
        update.move(f"{lr:g} {symbol}", lr * step)

    def _velocity(self, update: Update, momentum: float) -> Tensor:
        gradient, symbol = update.gradient, update.symbol
        if update.state.get("momentum_buffer") is None:  # dampening starts with the second step
            return update.term("v", symbol, gradient)
        share = 1 - self.dampening
        formula = f"{momentum:g} v + {f'{share:g} ' if self.dampening else ''}{symbol}"
        before = update.kept("momentum_buffer")
        return update.term("v", formula, momentum * before + share * gradient)

    def numbers_kept(self) -> int:
        return 1 if self.momentum else 0  # velocities


class ASGD(Optimizer, kind="asgd"):
    """Averaged stochastic gradient descent (Polyak and Juditsky 1992)."""

    usual_lr = (1e-3, 1e-1)
    keeps = 1  # averages of the weights

    lr: PositiveFloat = 1e-2
    """Learning rate."""
    lambd: NonNegativeFloat = 1e-4
    """Decay of the learning rate."""
    alpha: PositiveFloat = 0.75
    """Exponent of the learning rate decay."""
    t0: NonNegativeFloat = 1e6
    """Step at which averaging starts."""
    weight_decay: NonNegativeFloat = 0.0
    """Weight decay, added to the gradient (L2)."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.ASGD(groups, **self.arguments())

    def work(self, update: Update) -> None:
        update.decay()
        rate = float(update.state.get("eta", update.settings["lr"]))
        update.shrink(self.lambd * rate, formula=f"{self.lambd:g} · {rate:g}")
        update.move(f"{rate:g} {update.symbol}", rate * update.gradient)


class Lion(Optimizer, kind="lion"):
    """Lion: steps along the sign of the momentum (Chen et al. 2023).

    The paper recommends a learning rate 3 to 10 times smaller than for adamw, and a weight decay
    larger by the same factor.
    """

    usual_lr = (1e-6, 1e-3)
    keeps = 1  # averages of gradients
    rescales_l2 = True
    decouples_decay = True

    lr: PositiveFloat = 1e-4
    """Learning rate."""
    betas: Betas = (0.9, 0.99)
    """Decay rates of the update direction and of the momentum."""
    weight_decay: NonNegativeFloat = 0.0
    """Decoupled weight decay: shrinks weights by lr * weight_decay in each step."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return SignedMomentum(groups, **self.arguments())

    def work(self, update: Update) -> None:
        lr, (mixing, keeping) = update.settings["lr"], update.settings["betas"]
        update.decay_apart()
        before, gradient = update.kept("exp_avg"), update.gradient
        formula = f"{mixing:g} m + {1 - mixing:g} {update.symbol}"
        mixed = update.term("c", formula, mixing * before + (1 - mixing) * gradient)
        update.average("m", "exp_avg", keeping)
        update.move(f"{lr:g} sign(c)", lr * mixed.sign())


class SignedMomentum(optim.Optimizer):
    """Algorithm 2 of https://arxiv.org/abs/2302.06675, for one group at a time."""

    def __init__(
        self,
        params: Groups,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Update the weights that have gradients; returns the loss of the closure, if any."""
        with torch.enable_grad():
            loss = closure() if closure else None
        for group in self.param_groups:
            gradients = {w: w.grad for w in group["params"] if w.grad is not None}
            if gradients:
                self._move(list(gradients), list(gradients.values()), group)
        return loss

    def _move(self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        averages = [self._average_of(weight) for weight in weights]
        lr, (mixing, keeping) = group["lr"], group["betas"]
        signs = torch._foreach_lerp(averages, gradients, 1 - mixing)
        torch._foreach_sign_(signs)
        torch._foreach_mul_(weights, 1 - lr * group["weight_decay"])
        torch._foreach_add_(weights, signs, alpha=-lr)
        torch._foreach_lerp_(averages, gradients, 1 - keeping)

    def _average_of(self, weight: Tensor) -> Tensor:
        state: dict[str, Tensor] = self.state[weight]
        if not state:
            state["exp_avg"] = torch.zeros_like(weight)
        return state["exp_avg"]
