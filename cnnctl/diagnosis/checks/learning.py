"""Whether the training loss falls at all."""

from __future__ import annotations

from typing import ClassVar

from cnnctl.diagnosis.checks.check import Check, When, fine, unknown, warning
from cnnctl.diagnosis.facts import Facts
from cnnctl.metrics.wording import show_loss
from cnnctl.verification.finding import Finding

HIGHEST = 0.95
EPOCHS = 2
STEPS = 50
"""Fewer steps are not enough to judge, whatever the epochs."""


class LearnsNothing(Check):
    """The training loss should be below that of an answer that ignores the inputs."""

    name = "learns nothing"
    threshold = f"training loss > {HIGHEST:g} H(labels) after {EPOCHS} epochs and {STEPS} steps"
    source = "Karpathy, A Recipe for Training Neural Networks (2019); the factor is ours"
    when: ClassVar[When] = "after training"

    def find(self, facts: Facts) -> Finding:
        losses = facts.history.losses("train") if facts.history else []
        if facts.history is None or not losses:
            return unknown(facts.why_not("history"))
        best, constant = min(losses), facts.yardstick.constant
        level = facts.yardstick.level(best)
        figure = f"best training loss {show_loss(best)}, of a constant answer {show_loss(constant)}"
        if len(losses) < EPOCHS or facts.history.steps < STEPS:
            return unknown(f"too early to say after {facts.history.steps} steps")
        if constant <= facts.yardstick.least or level <= HIGHEST:
            return fine(figure, {"level": level})
        hint = (
            "try optimizer.lr ten times larger and smaller; if no other check warns, see whether "
            "the labels belong to the inputs"
        )
        return warning(f"nothing is learned: {figure}", hint, {"level": level})
