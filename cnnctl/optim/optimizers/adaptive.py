"""A step size for each weight, from the squares of its gradients."""

from __future__ import annotations

from torch import optim

from cnnctl.config.bounds import Momentum, NonNegativeFloat, PositiveFloat, UnitInterval
from cnnctl.optim.optimizers.optimizer import Groups, Optimizer


class Adagrad(Optimizer, kind="adagrad"):
    """Divide each step by the root of all squared gradients so far (Duchi et al. 2011)."""

    usual_lr = (1e-3, 1e-1)
    keeps = 1  # sums of squares

    lr: PositiveFloat = 1e-2
    """Learning rate."""
    lr_decay: NonNegativeFloat = 0.0
    """Divides the learning rate by 1 + lr_decay * steps."""
    weight_decay: NonNegativeFloat = 0.0
    """Adds this times the weight to its gradient."""
    initial_accumulator_value: NonNegativeFloat = 0.0
    """What the sum of squares starts at."""
    eps: PositiveFloat = 1e-10
    """Keeps the divisor above zero."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.Adagrad(groups, fused=fused, **self.arguments())


class Adadelta(Optimizer, kind="adadelta"):
    """Steps in the units of the weights, from averages of squares (Zeiler 2012)."""

    usual_lr = (1e-1, 1.0)
    keeps = 2  # averages of squares: of gradients and of steps

    lr: PositiveFloat = 1.0
    """A factor on each step."""
    rho: UnitInterval = 0.9
    """Decay of the averages of squares."""
    eps: PositiveFloat = 1e-6
    """Keeps the divisor above zero."""
    weight_decay: NonNegativeFloat = 0.0
    """Adds this times the weight to its gradient."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.Adadelta(groups, **self.arguments())


class RMSprop(Optimizer, kind="rmsprop"):
    """Divide each step by the root of the averaged squared gradients (Hinton 2012)."""

    usual_lr = (1e-5, 1e-2)

    lr: PositiveFloat = 1e-2
    """Learning rate."""
    alpha: UnitInterval = 0.99
    """Decay of the average of squares."""
    eps: PositiveFloat = 1e-8
    """Keeps the divisor above zero."""
    weight_decay: NonNegativeFloat = 0.0
    """Adds this times the weight to its gradient."""
    momentum: Momentum = 0.0
    """Fraction of the last step's velocity that is kept."""
    centered: bool = False
    """Divide by the deviation of the gradients from their mean instead."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.RMSprop(groups, **self.arguments())

    def numbers_kept(self) -> int:
        return 1 + bool(self.momentum) + self.centered  # squares, velocities, means
