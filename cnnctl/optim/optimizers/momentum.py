"""Steps along the gradient or an average of it."""

from __future__ import annotations

from pydantic import ValidationInfo, field_validator
from torch import optim

from cnnctl.config.bounds import Momentum, NonNegativeFloat, PositiveFloat, UnitInterval
from cnnctl.config.choice import refusal
from cnnctl.optim.optimizers.optimizer import Groups, Optimizer


class SGD(Optimizer, kind="sgd"):
    """Stochastic gradient descent, with momentum if wanted (Polyak 1964)."""

    usual_lr = (1e-3, 1.0)

    lr: PositiveFloat = 1e-3
    """Learning rate."""
    momentum: Momentum = 0.0
    """Fraction of the last step's velocity that is kept."""
    dampening: UnitInterval = 0.0
    """Fraction of the gradient that is kept out of the velocity."""
    weight_decay: NonNegativeFloat = 0.0
    """Adds this times the weight to its gradient."""
    nesterov: bool = False
    """Look ahead along the velocity (Nesterov 1983)."""

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

    def numbers_kept(self) -> int:
        return 1 if self.momentum else 0  # velocities


class ASGD(Optimizer, kind="asgd"):
    """Stochastic gradient descent that averages the weights (Polyak and Juditsky 1992)."""

    usual_lr = (1e-3, 1e-1)
    keeps = 1  # averages of the weights

    lr: PositiveFloat = 1e-2
    """Learning rate."""
    lambd: NonNegativeFloat = 1e-4
    """How fast the rate falls."""
    alpha: PositiveFloat = 0.75
    """The power with which it falls."""
    t0: NonNegativeFloat = 1e6
    """Steps before averaging starts."""
    weight_decay: NonNegativeFloat = 0.0
    """Adds this times the weight to its gradient."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.ASGD(groups, **self.arguments())
