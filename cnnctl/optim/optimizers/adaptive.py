"""A step size for each weight, from the squares of its gradients."""

from __future__ import annotations

from torch import optim

from cnnctl.config.bounds import Momentum, NonNegativeFloat, PositiveFloat, UnitInterval
from cnnctl.optim.optimizers.optimizer import Groups, Optimizer
from cnnctl.optim.working import Update


class Adagrad(Optimizer, kind="adagrad"):
    """Adagrad: scales steps by accumulated squared gradients (Duchi et al. 2011)."""

    usual_lr = (1e-3, 1e-1)
    keeps = 1  # sums of squares

    lr: PositiveFloat = 1e-2
    """Learning rate."""
    lr_decay: NonNegativeFloat = 0.0
    """Learning rate decay: divides lr by 1 + lr_decay * steps."""
    weight_decay: NonNegativeFloat = 0.0
    """Weight decay, added to the gradient (L2)."""
    initial_accumulator_value: NonNegativeFloat = 0.0
    """Initial value of the sum of squared gradients."""
    eps: PositiveFloat = 1e-10
    """Added to the denominator for numerical stability."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.Adagrad(groups, fused=fused, **self.arguments())

    def work(self, update: Update) -> None:
        update.decay()
        rate = update.settings["lr"] / (1 + (update.step - 1) * self.lr_decay)
        before = update.state.get("sum", self.initial_accumulator_value)
        total = update.term("s", f"s + {update.symbol}²", before + update.gradient**2)
        change = rate * update.gradient / (total.sqrt() + self.eps)
        update.move(f"{rate:g} {update.symbol} / (√s + {self.eps:g})", change)


class Adadelta(Optimizer, kind="adadelta"):
    """Adadelta: adapts step sizes from moving averages (Zeiler 2012)."""

    usual_lr = (1e-1, 1.0)
    keeps = 2  # averages of squares: of gradients and of steps

    lr: PositiveFloat = 1.0
    """Factor on each step."""
    rho: UnitInterval = 0.9
    """Decay rate of the averages of squared gradients and steps."""
    eps: PositiveFloat = 1e-6
    """Added to the denominator for numerical stability."""
    weight_decay: NonNegativeFloat = 0.0
    """Weight decay, added to the gradient (L2)."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.Adadelta(groups, **self.arguments())

    def work(self, update: Update) -> None:
        update.decay()
        lr, rho, eps, steps = update.settings["lr"], self.rho, self.eps, update.kept("acc_delta")
        squares = update.average("v", "square_avg", rho, squared=True)
        change = (steps + eps).sqrt() / (squares + eps).sqrt() * update.gradient
        formula = f"√(u + {eps:g}) / √(v + {eps:g}) · {update.symbol}"
        update.term("d", formula, change)
        update.term("u", f"{rho:g} u + {1 - rho:g} d²", rho * steps + (1 - rho) * change**2)
        update.move(f"{lr:g} d", lr * change)


class RMSprop(Optimizer, kind="rmsprop"):
    """RMSprop: scales steps by averaged squared gradients (Hinton 2012)."""

    usual_lr = (1e-5, 1e-2)

    lr: PositiveFloat = 1e-2
    """Learning rate."""
    alpha: UnitInterval = 0.99
    """Decay rate of the average of squared gradients."""
    eps: PositiveFloat = 1e-8
    """Added to the denominator for numerical stability."""
    weight_decay: NonNegativeFloat = 0.0
    """Weight decay, added to the gradient (L2)."""
    momentum: Momentum = 0.0
    """Momentum factor."""
    centered: bool = False
    """Normalize by the estimated variance of the gradient."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.RMSprop(groups, **self.arguments())

    def work(self, update: Update) -> None:
        update.decay()
        lr, momentum = update.settings["lr"], update.settings["momentum"]
        spread = update.average("v", "square_avg", self.alpha, squared=True)
        under = "v"
        if self.centered:
            mean = update.average("m", "grad_avg", self.alpha)
            spread, under = spread - mean**2, "(v - m²)"
        step = update.gradient / (spread.sqrt() + self.eps)
        formula = f"{update.symbol} / (√{under} + {self.eps:g})"
        if momentum:
            buffer = momentum * update.kept("momentum_buffer") + step
            step, formula = update.term("b", f"{momentum:g} b + {formula}", buffer), "b"
        update.move(f"{lr:g} {formula}", lr * step)

    def numbers_kept(self) -> int:
        return 1 + bool(self.momentum) + self.centered  # squares, velocities, means
