"""A step size for each weight, from the squares of its gradients."""

from __future__ import annotations

from torch import optim

from cnnctl.config.bounds import Momentum, NonNegativeFloat, PositiveFloat, UnitInterval
from cnnctl.optim.optimizers.optimizer import Groups, Optimizer


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

    def numbers_kept(self) -> int:
        return 1 + bool(self.momentum) + self.centered  # squares, velocities, means
