"""The steps that a run is planned to take, where `train.max_minutes` allows fewer than all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator

from cnnctl.config.bounds import NonNegativeInt, PositiveInt
from cnnctl.config.choice import Spec, refusal


class PlannedSteps(Spec):
    """The steps of the whole run, as planned after some of them."""

    after: NonNegativeInt
    """Steps taken when this was planned."""
    total: PositiveInt
    """Steps of the whole run; the rest of the schedule is fitted to what remains of them."""


def _check_plan(plan: list[PlannedSteps]) -> list[PlannedSteps]:
    if any(earlier.after >= later.after for earlier, later in pairwise(plan)):
        raise refusal("`after` does not increase", hint="list the plans in the order of the run")
    if early := next((each for each in plan if each.total < each.after), None):
        message = f"a total of {early.total} is less than the {early.after} steps taken"
        raise refusal(message, hint="a total counts all steps of the run")
    return plan


Plan = Annotated[list[PlannedSteps], AfterValidator(_check_plan)]


def scheduled_step(step: int, plan: Sequence[PlannedSteps], *, steps: int) -> int:
    """The step of the whole schedule, of so many steps, whose rates this step of the run has.

    From each plan on, the rest of the schedule is spread evenly over the remaining steps, so that
    rates never jump and the last planned step has the rates of the last of all.
    """
    began, reached, total = 0, 0, steps
    for each in plan:
        if each.after > step:
            break
        reached = _spread(each.after, began, reached, total, steps=steps)
        began, total = each.after, min(each.total, steps)
    return _spread(step, began, reached, total, steps=steps)


def _spread(step: int, began: int, reached: int, total: int, *, steps: int) -> int:
    """The step of the schedule, if its rest from `reached` on began at this step of the run."""
    remaining = total - 1 - began
    if step >= total - 1 or remaining <= 0:
        return max(steps - 1, step)
    return reached + round((step - began) * (steps - 1 - reached) / remaining)
