"""A training that ends too early."""

from __future__ import annotations

from statistics import fmean
from typing import ClassVar

from cnnctl.diagnosis.checks.check import Check, When, fine, unknown, warning
from cnnctl.diagnosis.facts import Facts
from cnnctl.metrics.wording import show_loss
from cnnctl.verification.finding import Finding

FALL = 0.1
"""Share by which both losses fell in the last quarter of the epochs, compared with the one
before."""
MUCH = 0.15
"""Share of the loss of a constant answer that is left to learn."""
FEWEST = 4


class Unfinished(Check):
    """Losses that still fall at the end would fall further."""

    name = "still falling"
    threshold = (
        f"both losses fell by {FALL:.0%} in the last quarter of the epochs, and are above "
        f"{MUCH:.0%} of a constant answer's"
    )
    source = "ours, tried on trainings that go well"
    when: ClassVar[When] = "after training"

    def find(self, facts: Facts) -> Finding:
        history = facts.history
        if history is None:
            return unknown(facts.why_not("history"))
        if len(history) < FEWEST:
            return unknown(f"too few epochs: {len(history)} of {FEWEST}")
        train, held_out = history.losses("train"), history.losses("val")
        falls = [_fall(losses) for losses in (train, held_out) if losses]
        shown = held_out or train
        figure = f"loss {show_loss(shown[-1])}, in the last quarter {-falls[-1]:+.0%}"
        numbers = {"fall": min(falls), "level": facts.yardstick.level(shown[-1])}
        if min(falls) < FALL or facts.yardstick.level(shown[-1]) < MUCH:
            return fine(figure, numbers)
        epochs = facts.experiment.train.epochs
        hint = f"train longer, such as train.epochs={2 * epochs}, or with a higher optimizer.lr"
        return warning(f"the losses are still falling: {figure}", hint, numbers)


def _fall(losses: list[float]) -> float:
    """By which share the mean of the last quarter is below that of the quarter before."""
    quarter = max(1, len(losses) // 4)
    before, after = fmean(losses[-2 * quarter : -quarter]), fmean(losses[-quarter:])
    return 1 - after / before if before > 0 else 0.0
