"""Samples with equal inputs and different classes."""

from __future__ import annotations

from cnnctl.verification.facts import Facts
from cnnctl.verification.finding import Check, Finding, Verdict
from cnnctl.verification.naming import equal_names


class Contradictions(Check):
    """Equal inputs with different classes or labels, in any split: one of them must be wrong."""

    name = "contradictions"
    source = "equal SHA-256, different targets; no network can learn both"

    def find(self, facts: Facts) -> Finding:
        if facts.likenesses is None:
            return Finding(figure="not compared", verdict=Verdict.UNKNOWN)
        found = [pair for pair in facts.likenesses.identical if pair.has_other_target]
        numbers = {"samples": len(found)}
        if not found:
            return Finding(figure="none", numbers=numbers)
        samples = "1 sample has" if len(found) == 1 else f"{len(found):,} samples have"
        return Finding(
            figure=f"{samples} the same inputs as another one, but a different class or labels",
            verdict=Verdict.WARNING,
            hint="correct the targets, or add features that tell them apart",
            named=equal_names(found),
            numbers=numbers,
        )
