"""A whole step of training."""

from __future__ import annotations

from cnnctl.errors import ExitCode
from cnnctl.verification.facts import Facts
from cnnctl.verification.finding import Check, Finding, Verdict
from cnnctl.verification.naming import shown_time


class FirstStep(Check):
    """Forward, backward and update with the real settings: loss and weights stay finite."""

    name = "first step"
    source = "as in training: `training.divergence`"
    path = ("optimizer",)
    exit_code = ExitCode.DIVERGED

    def find(self, facts: Facts) -> Finding:
        steps = facts.steps
        if steps is None:
            return Finding(figure="not taken", verdict=Verdict.UNKNOWN)
        if steps.error:
            return Finding(
                figure=steps.error,
                verdict=Verdict.ERROR,
                hint="use a lower optimizer.lr or train.precision=fp32, and check model.init",
                numbers={"finite": False},
            )
        figure = (
            f"forward, backward and update take {shown_time(steps.batch)} per batch; all finite"
        )
        return Finding(figure=figure, numbers={"finite": True, "batch_seconds": steps.batch})
