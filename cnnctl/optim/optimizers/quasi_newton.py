"""Steps by an estimate of the curvature."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator
from torch import optim

from cnnctl.config.bounds import NonNegativeFloat, PositiveFloat, PositiveInt
from cnnctl.config.choice import refusal
from cnnctl.errors import config_fault
from cnnctl.optim.groups import Group
from cnnctl.optim.optimizers.optimizer import Groups, Optimizer


class LBFGS(Optimizer, kind="lbfgs"):
    """A quasi-Newton method, for full batches; it evaluates the loss several times a step."""

    usual_lr = (1e-1, 1.0)
    needs_full_batch = True
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
