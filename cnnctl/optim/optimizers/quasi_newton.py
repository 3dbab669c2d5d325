"""Steps from an estimate of the curvature."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator
from torch import optim

from cnnctl.config.bounds import NonNegativeFloat, PositiveFloat, PositiveInt
from cnnctl.config.choice import refusal
from cnnctl.errors import config_fault
from cnnctl.optim.optimizers.optimizer import Group, Groups, Optimizer


class LBFGS(Optimizer, kind="lbfgs"):
    """L-BFGS, a quasi-Newton method for full batches; evaluates the loss several times per step."""

    usual_lr = (1e-1, 1.0)
    needs_full_batch = True
    moves_all_together = True
    takes_channels_last = False  # torch views each gradient as a vector
    revealing = {"lr": 1.0, "max_iter": 1, "tolerance_grad": 0.0, "tolerance_change": 0.0}

    lr: PositiveFloat = 1.0
    """Learning rate, as a fraction of the Newton step."""
    max_iter: PositiveInt = 20
    """Maximum number of iterations per step."""
    max_eval: PositiveInt | None = None
    """Maximum number of loss evaluations per step (default: 1.25 * max_iter)."""
    tolerance_grad: NonNegativeFloat = 1e-7
    """Stop once all elements of the gradient are at most this."""
    tolerance_change: NonNegativeFloat = 1e-9
    """Stop once the loss or the weights change by less than this."""
    history_size: PositiveInt = 100
    """Number of past steps to estimate the curvature from."""
    line_search_fn: Literal["strong_wolfe"] | None = None
    """Line search, if any."""

    @field_validator("groups")
    @classmethod
    def _has_one_group(cls, groups: list[Group]) -> list[Group]:
        if groups:
            message = "lbfgs updates all weights together, not in groups"
            raise refusal(message, hint="use another optimizer, or leave the groups out")
        return groups

    def build(self, groups: Groups, *, fused: bool) -> optim.Optimizer:
        parts = list(groups)
        if len(parts) > 1 and any(group.keys() != {"params"} for group in parts):
            message = f"lbfgs updates all weights together, not in {len(parts)} groups"
            raise config_fault(message, hint="use another optimizer, or no weight decay")
        parts[0]["params"] = [weight for group in parts for weight in group["params"]]
        return optim.LBFGS(parts[:1], **self.arguments())

    def numbers_kept(self) -> int:
        return 2 * self.history_size + 2  # pairs of steps; the last direction and gradient
