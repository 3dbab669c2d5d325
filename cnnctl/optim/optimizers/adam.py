"""Adam and its variants."""

from __future__ import annotations

from torch import optim

from cnnctl.config.bounds import NonNegativeFloat, PositiveFloat
from cnnctl.optim.optimizers.optimizer import Betas, Groups, Optimizer


class AdamLike(Optimizer):
    """Averages of the gradient and of its size, each corrected for its start at zero."""

    usual_lr = (1e-5, 1e-2)
    keeps = 2  # averages of gradients and of their size
    rescales_l2 = True

    lr: PositiveFloat = 1e-3
    """Learning rate."""
    betas: Betas = (0.9, 0.999)
    """Decays of the averages of gradients and of their squares."""
    eps: PositiveFloat = 1e-8
    """Keeps the divisor above zero."""


class Adam(AdamLike, kind="adam"):
    """Momentum, divided by the root of averaged squared gradients (Kingma and Ba 2014)."""

    weight_decay: NonNegativeFloat = 0.0
    """Adds this times the weight to its gradient."""
    amsgrad: bool = False
    """Divide by the largest average so far (Reddi et al. 2018)."""
    decoupled_weight_decay: bool = False
    """Shrink the weights directly instead, which makes it adamw."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.Adam(groups, fused=fused, **self.arguments())

    def numbers_kept(self) -> int:
        return 2 + self.amsgrad  # the largest averages


class AdamW(AdamLike, kind="adamw"):
    """Adam, with weight decay apart from the gradient (Loshchilov and Hutter 2017)."""

    decouples_decay = True

    weight_decay: NonNegativeFloat = 1e-2
    """Shrinks the weights by lr * weight_decay in each step."""
    amsgrad: bool = False
    """Divide by the largest average so far (Reddi et al. 2018)."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.AdamW(groups, fused=fused, **self.arguments())

    def numbers_kept(self) -> int:
        return 2 + self.amsgrad


class Adamax(AdamLike, kind="adamax"):
    """Adam with the largest recent gradient in place of the root (Kingma and Ba 2014)."""

    lr: PositiveFloat = 2e-3
    """Learning rate."""
    weight_decay: NonNegativeFloat = 0.0
    """Adds this times the weight to its gradient."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.Adamax(groups, **self.arguments())


class NAdam(AdamLike, kind="nadam"):
    """Adam with Nesterov's momentum (Dozat 2016)."""

    state_shares = ("mu_product",)

    lr: PositiveFloat = 2e-3
    """Learning rate."""
    weight_decay: NonNegativeFloat = 0.0
    """Adds this times the weight to its gradient."""
    momentum_decay: NonNegativeFloat = 4e-3
    """How fast the momentum approaches its final value."""
    decoupled_weight_decay: bool = False
    """Shrink the weights directly instead, as adamw does."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.NAdam(groups, **self.arguments())


class RAdam(AdamLike, kind="radam"):
    """Adam whose first steps are held back until its averages can be trusted (Liu et al. 2019)."""

    weight_decay: NonNegativeFloat = 0.0
    """Adds this times the weight to its gradient."""
    decoupled_weight_decay: bool = False
    """Shrink the weights directly instead, as adamw does."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.RAdam(groups, **self.arguments())
