"""Samples that are in two splits."""

from __future__ import annotations

from cnnctl.data.file_set import FileSet
from cnnctl.data.picture_set import PictureSet
from cnnctl.verification.facts import Facts
from cnnctl.verification.finding import Check, Finding, Verdict
from cnnctl.verification.naming import equal_names, splits_of


class Identical(Check):
    """Samples with equal inputs, compared by their SHA-256 as they are given to the network.

    Pictures and other samples of many numbers are equal only if they are copies. Rows of a table
    can be equal by chance, and published datasets cannot be changed, so these are only warnings.
    """

    name = "identical samples"
    source = "equal SHA-256 (FIPS 180-4); Barz and Denzler 2020 on what such leaks do to results"
    path = ("data",)

    def find(self, facts: Facts) -> Finding:
        if facts.likenesses is None:
            return Finding(figure="not compared", verdict=Verdict.UNKNOWN)
        leaks = [pair for pair in facts.likenesses.identical if pair.is_leak]
        within = len(facts.likenesses.identical) - len(leaks)
        numbers = {"across_splits": len(leaks), "within_splits": within}
        if not leaks:
            are = "1 is a copy" if within == 1 else f"{within:,} are copies"
            copies = f"; {are} within a split" if within else ""
            return Finding(figure=f"none in two splits{copies}", numbers=numbers)
        data = facts.loaded.experiment.data
        is_error = isinstance(data, FileSet) and len(facts.loaded.description.shape) > 1
        cut_here = isinstance(data, PictureSet) and not data.group_copies
        keep = ", or set data.group_copies=true where cnnctl makes the splits" if cut_here else ""
        return Finding(
            figure=f"identical samples in two splits: {splits_of(leaks)}",
            verdict=Verdict.ERROR if is_error else Verdict.WARNING,
            hint=f"they inflate the results; keep each in one split{keep}",
            named=equal_names(leaks),
            numbers=numbers,
        )
