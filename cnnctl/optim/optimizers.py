"""Optimizers: one class a kind, with the arguments of its torch.optim class."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator
from torch import optim

from cnnctl.config.bounds import (
    Momentum,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    UnitInterval,
)
from cnnctl.config.choice import Choice, refusal
from cnnctl.errors import config_fault
from cnnctl.optim.groups import Group

Betas = Annotated[tuple[Momentum, Momentum], Field(strict=False)]
Groups = Iterable[dict[str, Any]]
"""Parameter groups, as every optimizer of torch.optim takes them."""


class Optimizer(Choice, family="optimizers"):
    """A rule that moves the weights."""

    usual_lr: ClassVar[tuple[float, float]]
    """The range in which learning rates usually lie; outside it `check` gives advice."""
    keeps: ClassVar[int | None] = None
    """What `numbers_kept` gives, where that is the same whatever the options are."""
    state_shares: ClassVar[tuple[str, ...]] = ()
    """Numbers in the state of a weight that lie from 0 to 1."""
    takes_channels_last: ClassVar[bool] = True  # whether weights may be channels_last
    revealing: ClassVar[dict[str, Any]] = {}
    """Options with which a few steps show every form that the state of a weight can have."""

    lr: PositiveFloat
    """Learning rate."""
    groups: list[Group] = []
    """Weights with settings of their own; of two that match, the first counts."""

    def arguments(self) -> dict[str, Any]:
        """What the class in torch.optim takes, beside the parameters."""
        return {name: value for name, value in self if name != "groups"}

    @abstractmethod
    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        """Build the optimizer; `fused` asks for the one-kernel form where the kind has one."""

    def numbers_kept(self) -> int | None:
        """How many numbers it keeps for each weight from step to step; None if a kind is silent."""
        return self.keeps


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


class AdamLike(Optimizer):
    """Averages of the gradient and of its size, each corrected for its start at zero."""

    usual_lr = (1e-5, 1e-2)
    keeps = 2  # averages of gradients and of their size

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


class LBFGS(Optimizer, kind="lbfgs"):
    """A quasi-Newton method, for full batches; it evaluates the loss several times a step."""

    usual_lr = (1e-1, 1.0)
    takes_channels_last = False  # torch views each gradient as a vector
    revealing = {"lr": 1.0, "max_iter": 1, "tolerance_grad": 0.0, "tolerance_change": 0.0}

    lr: PositiveFloat = 1.0
    """Length of a step, as a share of the Newton step."""
    max_iter: PositiveInt = 20
    """Iterations in one step."""
    max_eval: PositiveInt | None = None
    """Evaluations of the loss in one step; 1.25 * max_iter if left out."""
    tolerance_grad: NonNegativeFloat = 1e-7
    """Stop when no gradient is larger."""
    tolerance_change: NonNegativeFloat = 1e-9
    """Stop when the loss or the weights change by less."""
    history_size: PositiveInt = 100
    """Past steps that the curvature is estimated from."""
    line_search_fn: Literal["strong_wolfe"] | None = None
    """Search along the direction for a good length of the step."""

    @field_validator("groups")
    @classmethod
    def _has_one_group(cls, groups: list[Group]) -> list[Group]:
        if groups:
            message = "lbfgs moves all weights together, not in groups"
            raise refusal(message, hint="use another optimizer, or leave the groups out")
        return groups

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        parts = list(groups)
        if len(parts) > 1 and any(group.keys() != {"params"} for group in parts):
            message = f"lbfgs moves all weights together, not in {len(parts)} groups"
            raise config_fault(message, hint="use another optimizer, or no weight decay")
        parts[0]["params"] = [weight for group in parts for weight in group["params"]]
        return optim.LBFGS(parts[:1], **self.arguments())

    def numbers_kept(self) -> int:
        return 2 * self.history_size + 2  # pairs of steps; the last direction and gradient
