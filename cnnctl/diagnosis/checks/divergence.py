"""A loss that rises, and accuracy that swings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from typing import ClassVar

from cnnctl.diagnosis.checks.check import Check, When, fine, unknown, warning
from cnnctl.diagnosis.facts import Facts
from cnnctl.metrics.wording import show_loss
from cnnctl.verification.finding import Finding

FACTOR = 2.0
MATTERS = 0.1
"""Share of the loss of a constant answer below which a rise is small in any case."""
SWING, SHARE = 0.03, 0.2
FEWEST_EPOCHS = 5
CERTAIN = 3.0
"""Standard errors of an accuracy that chance seldom exceeds."""


class Diverging(Check):
    """The training loss should not end far above its minimum."""

    name = "diverging"
    threshold = (
        f"training loss > {FACTOR:g} times its minimum, and {MATTERS:.0%} of a constant answer's"
    )
    source = "AUTOTRAINER (Zhang et al. 2021) and TheDeepChecker (2022); that it matters is ours"
    when: ClassVar[When] = "after training"

    def find(self, facts: Facts) -> Finding:
        losses = facts.history.losses("train") if facts.history else []
        if facts.history is None or not losses:
            return unknown(facts.why_not("history"))
        lowest, last = min(losses), losses[-1]
        at = facts.history.epochs[losses.index(lowest)]
        figure = f"training loss {show_loss(last)}, lowest {show_loss(lowest)} in epoch {at}"
        is_high = facts.yardstick.level(last) > MATTERS
        if last <= FACTOR * lowest or not is_high:
            return fine(figure, {"last": last, "lowest": lowest})
        hint = "try a lower optimizer.lr, a scheduler with warmup, or regularization.clip_norm=1"
        return warning(f"the training diverges: {figure}", hint, {"last": last, "lowest": lowest})


class Swinging(Check):
    """Training accuracy should not fall back again and again."""

    name = "swinging"
    threshold = (
        f"training accuracy falls by {SWING:g} or more, and by more than chance, in {SHARE:.0%} of "
        "the epochs"
    )
    source = "AUTOTRAINER (Zhang et al. 2021); that it exceeds chance is ours"
    when: ClassVar[When] = "after training"

    def find(self, facts: Facts) -> Finding:
        found = facts.history.accuracies("train") if facts.history else []
        if facts.history is None or not found:
            return unknown(facts.why_not("history") if facts.history is None else "no accuracy")
        if len(found) < FEWEST_EPOCHS:
            return unknown(f"too few epochs: {len(found)} of {FEWEST_EPOCHS}")
        falls = count_of_falls(found, samples=(facts.history.samples or {}).get("train", 0))
        share = falls / (len(found) - 1)
        figure = f"training accuracy falls in {falls} of {len(found)} epochs"
        if share < SHARE:
            return fine(figure, {"share": share})
        hint = "try a lower optimizer.lr, a larger data.batch_size, or scheduler=cosine"
        return warning(
            f"the training swings: {figure} by {SWING:g} or more", hint, {"share": share}
        )


def count_of_falls(accuracies: Sequence[float], *, samples: int) -> int:
    """How often an accuracy falls by a swing, and by more than chance does."""
    return sum(
        before - after >= max(SWING, CERTAIN * _error(before, samples))
        for before, after in pairwise(accuracies)
    )


def _error(accuracy: float, samples: int) -> float:
    """The standard error of the difference of two accuracies."""
    return sqrt(2 * accuracy * (1 - accuracy) / samples) if samples else 0.0
