"""The base of optimizer kinds: options, build and traits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, optim

from cnnctl.config.bounds import Momentum, PositiveFloat
from cnnctl.config.choice import Choice
from cnnctl.optim.groups import Group
from cnnctl.optim.working import Update

Betas = Annotated[tuple[Momentum, Momentum], Field(strict=False)]
Groups = Iterable[dict[str, Any]]
"""Parameter groups, as every optimizer of torch.optim takes them."""


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
    state_shares: ClassVar[tuple[str, ...]] = ()
    """Numbers in the state of a weight that are between 0 and 1."""
    revealing: ClassVar[dict[str, Any]] = {}
    """Options with which a few steps reveal every form of a weight's state."""

    lr: PositiveFloat
    """Learning rate."""
    groups: list[Group] = []
    """Parameter groups with their own settings; the first match counts."""

    def arguments(self) -> dict[str, Any]:
        """The arguments of the class in torch.optim, without the parameters."""
        return {name: value for name, value in self if name != "groups"}

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
