"""Training against evaluation mode."""

from __future__ import annotations

from math import isfinite

from cnnctl.diagnosis.checks.check import Check, fine, unknown, warning
from cnnctl.diagnosis.facts import Facts
from cnnctl.metrics.wording import show_loss
from cnnctl.verification.finding import Finding

DIFFERENCE = 0.5
MATTERS, MATTERS_OF_DROPOUT = 0.2, 0.5
"""Share of the loss of a constant answer below which a difference is small in any case: of a higher
loss in evaluation and in training."""


class ModesAgree(Check):
    """The same samples should have about the same loss with and without dropout, with the batch's
    statistics and with the running ones."""

    name = "training against evaluation mode"
    threshold = (
        f"the losses differ by more than {DIFFERENCE:.0%}, and by {MATTERS:.0%} of a constant "
        f"answer's, or {MATTERS_OF_DROPOUT:.0%} if it is higher in training"
    )
    source = "TheDeepChecker (Ben Braiek and Khomh 2022); that it has to matter is ours"

    def find(self, facts: Facts) -> Finding:
        if facts.steps is None or not isfinite(facts.steps.modes.training):
            return unknown(facts.why_not("steps"))
        training, evaluation = facts.steps.modes.training, facts.steps.modes.evaluation
        numbers = {"training": training, "evaluation": evaluation}
        figure = (
            f"loss {show_loss(training)} in training mode, {show_loss(evaluation)} in evaluation"
        )
        gap, smaller = abs(training - evaluation), min(training, evaluation)
        least = MATTERS if evaluation > training else MATTERS_OF_DROPOUT
        if gap <= DIFFERENCE * smaller or gap <= least * facts.yardstick.constant:
            return fine(figure, numbers)
        hint = (
            "use larger batches or group_norm instead of batch_norm, whose running statistics do "
            "not fit"
            if evaluation > training
            else "use less dropout"
        )
        return warning(f"the same samples: {figure}", hint, numbers)
