"""Pictures that are in two splits, saved or resized again."""

from __future__ import annotations

from cnnctl.data.pictures.thumbnails import SIDE
from cnnctl.verification.facts import Facts
from cnnctl.verification.finding import Check, Finding, Verdict
from cnnctl.verification.naming import equal_names, splits_of


class Similar(Check):
    """Pictures nearly identical to one of another split; see `data.pictures.similarity`."""

    name = "near copies"
    source = "difference hash (Krawetz 2013) and correlation; bounds from CIFAR-10 and MNIST"

    def find(self, facts: Facts) -> Finding:
        if facts.likenesses is None or not facts.likenesses.are_compared:
            reason = (
                f": only photos of at least {SIDE}x{SIDE} pixels are" if facts.likenesses else ""
            )
            return Finding(figure=f"not compared{reason}", verdict=Verdict.UNKNOWN)
        similar = facts.likenesses.similar
        numbers = {"across_splits": len(similar)}
        if not similar:
            return Finding(figure="none in two splits", numbers=numbers)
        return Finding(
            figure=f"nearly identical pictures in two splits: {splits_of(similar)}",
            verdict=Verdict.WARNING,
            hint="look at them: copies inflate the results and belong in one split",
            named=equal_names(similar, sign="~"),
            numbers=numbers,
        )
