"""What the network answers."""

from __future__ import annotations

from typing import ClassVar

from cnnctl.diagnosis.checks.check import Check, When, fine, unknown, warning
from cnnctl.diagnosis.facts import Answers, Facts
from cnnctl.verification.finding import Finding

SAME = 0.02
"""Spread of the answers, relative to that of the targets, below which they are the same."""
FEWEST = 10
"""Samples of a class that is never predicted."""


class SameAnswer(Check):
    """The answer should depend on the sample."""

    name = "the same answer"
    threshold = f"the answers vary less than {SAME:.0%} as much as the targets"
    source = "TheDeepChecker (Ben Braiek and Khomh 2022), output sensitivity; the figure is ours"
    when: ClassVar[When] = "after training"

    def find(self, facts: Facts) -> Finding:
        if not facts.answers:
            return unknown(facts.why_not("answers"))
        worst = min(facts.answers, key=_ratio)
        share = _ratio(worst)
        task = f"{worst.task}: " if worst.task else ""
        figure = f"{task}answers vary {share:.0%} as much as the {worst.split} targets"
        if share >= SAME:
            return fine(figure, {"ratio": share})
        hint = "look for dead or saturated layers; try a lower optimizer.lr, and class weights"
        figure = (
            f"{task}the answer is the same for {1 - worst.spread:.0%} of the {worst.split} samples"
        )
        return warning(figure, hint, {"ratio": share})


class NeverPredicted(Check):
    """Every class with samples should be predicted at least once."""

    name = "classes never predicted"
    threshold = f"no prediction of a class that has {FEWEST} samples or more"
    source = "ours"
    when: ClassVar[When] = "after training"

    def find(self, facts: Facts) -> Finding:
        if not facts.answers:
            return unknown(facts.why_not("answers"))
        classifying = [(each.task, each.never) for each in facts.answers if each.never is not None]
        if not classifying:
            return fine("no classes, but values")
        if all(_ratio(each) < SAME for each in facts.answers):
            return fine("the answer is the same for all samples")
        found = [
            f"{task}: {name}" if task else name
            for task, never in classifying
            for name, samples in never
            if samples >= FEWEST
        ]
        split = facts.answers[0].split
        if not found:
            return fine(f"every class with samples in {split} is predicted")
        figure = f"never predicted on the {split} samples: {', '.join(found[:5])}"
        hint = "use loss weight=balanced or data.sampler=balanced, or more samples of them"
        return warning(figure, hint, {"classes": found}, named=tuple(found))


def _ratio(found: Answers) -> float:
    return found.spread / found.target_spread if found.target_spread else 1.0
