"""How long training will take."""

from __future__ import annotations

from dataclasses import asdict

from cnnctl.verification.facts import Facts
from cnnctl.verification.finding import Check, Finding, Verdict
from cnnctl.verification.naming import shown_time


class TrainingTime(Check):
    """The time of an epoch and of all, from the median time of some steps on this machine."""

    name = "time"
    source = "steps and evaluations of a temporary run, timed here"

    def find(self, facts: Facts) -> Finding:
        duration = facts.duration
        if duration is None:
            return Finding(figure="not measured", verdict=Verdict.UNKNOWN)
        epochs = "1 epoch" if duration.epochs == 1 else f"{duration.epochs:,} epochs"
        epoch, run = shown_time(duration.epoch), shown_time(duration.run)
        figure = f"about {epoch} per epoch, {run} for {epochs}"
        return Finding(figure=figure, numbers=asdict(duration))
