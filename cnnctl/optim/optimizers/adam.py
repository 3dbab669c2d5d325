"""Adam and its variants."""

from __future__ import annotations

from torch import optim

from cnnctl.config.bounds import NonNegativeFloat, PositiveFloat
from cnnctl.optim.optimizers.optimizer import Betas, Groups, Optimizer


class AdamLike(Optimizer):
    """Averages of the gradient and of its square, with bias correction."""

    usual_lr = (1e-5, 1e-2)
    keeps = 2  # averages of gradients and their squares
    rescales_l2 = True

    lr: PositiveFloat = 1e-3
    """Learning rate."""
    betas: Betas = (0.9, 0.999)
    """Decay rates of the averages of the gradient and its square."""
    eps: PositiveFloat = 1e-8
    """Added to the denominator for numerical stability."""


class Adam(AdamLike, kind="adam"):
    """Adam: adaptive moment estimation (Kingma and Ba 2014)."""

    weight_decay: NonNegativeFloat = 0.0
    """Weight decay, added to the gradient (L2)."""
    amsgrad: bool = False
    """Use the AMSGrad variant (Reddi et al. 2018)."""
    decoupled_weight_decay: bool = False
    """Decouple the weight decay from the gradient, as in adamw."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.Adam(groups, fused=fused, **self.arguments())

    def numbers_kept(self) -> int:
        return 2 + self.amsgrad  # maxima of the averages


class AdamW(AdamLike, kind="adamw"):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2017)."""

    decouples_decay = True

    weight_decay: NonNegativeFloat = 1e-2
    """Decoupled weight decay: shrinks weights by lr * weight_decay in each step."""
    amsgrad: bool = False
    """Use the AMSGrad variant (Reddi et al. 2018)."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.AdamW(groups, fused=fused, **self.arguments())

    def numbers_kept(self) -> int:
        return 2 + self.amsgrad


class Adamax(AdamLike, kind="adamax"):
    """Adamax: Adam with the infinity norm (Kingma and Ba 2014)."""

    lr: PositiveFloat = 2e-3
    """Learning rate."""
    weight_decay: NonNegativeFloat = 0.0
    """Weight decay, added to the gradient (L2)."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.Adamax(groups, **self.arguments())


class NAdam(AdamLike, kind="nadam"):
    """NAdam: Adam with Nesterov momentum (Dozat 2016)."""

    state_shares = ("mu_product",)

    lr: PositiveFloat = 2e-3
    """Learning rate."""
    weight_decay: NonNegativeFloat = 0.0
    """Weight decay, added to the gradient (L2)."""
    momentum_decay: NonNegativeFloat = 4e-3
    """Momentum decay."""
    decoupled_weight_decay: bool = False
    """Decouple the weight decay from the gradient, as in adamw."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.NAdam(groups, **self.arguments())


class RAdam(AdamLike, kind="radam"):
    """RAdam: rectifies the variance of Adam's first steps (Liu et al. 2019)."""

    weight_decay: NonNegativeFloat = 0.0
    """Weight decay, added to the gradient (L2)."""
    decoupled_weight_decay: bool = False
    """Decouple the weight decay from the gradient, as in adamw."""

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        return optim.RAdam(groups, **self.arguments())
