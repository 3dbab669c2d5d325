"""The base of optimizer kinds: options, build and traits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, optim

from cnnctl.config.bounds import Momentum, NonNegativeFloat, PositiveFloat
from cnnctl.config.choice import Choice, Spec, refusal
from cnnctl.optim.schedulers import Scheduler
from cnnctl.optim.working import Update

Betas = Annotated[tuple[Momentum, Momentum], Field(strict=False)]
Groups = Iterable[dict[str, Any]]
"""Parameter groups, as every optimizer of torch.optim takes them."""


class Group(Spec):
    """A parameter group: weights with their own learning rate, weight decay or optimizer."""

    match: str | Annotated[list[str], Field(min_length=1)]
    """Names or patterns of layers or weights: `conv1`, `residual*`, `*.bias`."""
    lr: PositiveFloat | None = None
    """Learning rate of the group; the scheduler applies to it, too."""
    weight_decay: NonNegativeFloat | None = None
    """Weight decay of the group."""
    optimizer: Optimizer | None = None
    """Optimizer of the group, with its own learning rate and weight decay."""
    scheduler: Scheduler | None = None
    """Learning rate schedule of the group."""

    @model_validator(mode="after")
    def _sets_something(self) -> Self:
        if all(value is None for name, value in self if name != "match"):
            hint = "give it lr, weight_decay, optimizer or scheduler"
            raise refusal("the group has no settings", hint=hint)
        return self

    @model_validator(mode="after")
    def _fits_its_optimizer(self) -> Self:
        if self.optimizer is None:
            return self
        if self.settings():
            message = "the group has an optimizer, which has a lr and weight_decay of its own"
            raise refusal(message, hint="set them there")
        refuse_as_part(self.optimizer)
        return self

    @model_validator(mode="after")
    def _follows_the_position(self) -> Self:
        if self.scheduler is not None and self.scheduler.waits is not None:
            message = f"{self.scheduler.kind} cannot be the schedule of a group"
            raise refusal(message, hint="make it the scheduler of the experiment")
        return self

    def patterns(self) -> list[str]:
        """The patterns as a list."""
        return [self.match] if isinstance(self.match, str) else self.match

    def settings(self) -> dict[str, Any]:
        """The settings of the group, by their names in torch.optim."""
        return self.model_dump(include={"lr", "weight_decay"}, exclude_none=True)


class Optimizer(Choice, family="optimizers"):
    """An optimizer: updates the weights from their gradients."""

    usual_lr: ClassVar[tuple[float, float]]
    """The usual range of learning rates; outside it, `check` gives advice."""
    keeps: ClassVar[int | None] = None
    """The result of `numbers_kept`, if it does not depend on the options."""
    rescales_l2: ClassVar[bool] = False
    """Whether its steps divide the gradient of an l2 penalty by the gradient's magnitude."""
    decouples_decay: ClassVar[bool] = False
    """Whether its weight decay shrinks the weights directly, apart from the gradient."""
    follows_gradients: ClassVar[bool] = False
    """Whether its steps are as small as the gradients, times the rate."""
    needs_full_batch: ClassVar[bool] = False
    """Whether it compares gradients from step to step."""
    takes_channels_last: ClassVar[bool] = True  # whether weights may be channels_last
    moves_all_together: ClassVar[bool] = False
    """Whether a step needs all weights at once, so that there can be no groups."""
    state_shares: ClassVar[tuple[str, ...]] = ()
    """Numbers in the state of a weight that are between 0 and 1."""
    revealing: ClassVar[dict[str, Any]] = {}
    """Options with which a few steps reveal every form of a weight's state."""
    beside: ClassVar[tuple[str, ...]] = ()
    """Options that the class in torch.optim does not have."""

    lr: PositiveFloat
    """Learning rate."""
    groups: list[Group] = []
    """Parameter groups with their own settings; the first match counts."""

    def arguments(self) -> dict[str, Any]:
        """The arguments of the class in torch.optim, without the parameters."""
        return {name: value for name, value in self if name not in ("groups", *self.beside)}

    def of(self, weight: Tensor) -> Optimizer:
        """The optimizer of this weight; most kinds update every weight themselves."""
        return self

    def parts(self) -> tuple[Optimizer, ...]:
        """All that `of` returns."""
        return (self,)

    @abstractmethod
    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        """Build the optimizer; `fused` requests the fused implementation, if there is one."""

    def work(self, update: Update) -> None:
        """Add the terms of a step for one weight, the last of which is the new weight.

        By default none: the terms of the kind are not known.
        """
        return

    def numbers_kept(self) -> int:
        """Number of values in its state per weight."""
        return self._seen_to_keep() if self.keeps is None else self.keeps

    def _seen_to_keep(self) -> int:
        """The same, measured by a step on a single weight."""
        weight = torch.zeros(1, requires_grad=True)
        weight.grad = torch.zeros(1)
        built = self.build([{"params": [weight]}], fused=False)
        built.step(lambda: 0.0)
        state = built.state[weight].values()
        return sum(isinstance(kept, Tensor) and kept.ndim > 0 for kept in state)


Group.model_rebuild()  # now that there is an Optimizer


def refuse_as_part(optimizer: Optimizer) -> None:
    """Refuse an optimizer that cannot update some of the weights, beside another."""
    if optimizer.moves_all_together:
        message = f"{optimizer.kind} updates all weights together, not some of them"
        raise refusal(message, hint="use another optimizer")
    if optimizer.groups:
        message = f"{optimizer.kind} updates some of the weights here, and cannot have groups"
        raise refusal(message, hint="write them in optimizer.groups of the experiment")
