"""Whether all of the data can be read."""

from __future__ import annotations

from cnnctl.verification.facts import Facts
from cnnctl.verification.finding import Check, Finding, Verdict


class Reading(Check):
    """Every file and every cell is read; what is broken has been reported before."""

    name = "data"
    source = "the dataset's own checks: checksums, decoding, types, finite numbers"

    def find(self, facts: Facts) -> Finding:
        if facts.samples is None:
            return Finding(figure="not read", verdict=Verdict.UNKNOWN)
        skipped = len(facts.skipped)
        counts = [f"{count:,} {split}" for split, count in facts.samples.items() if count]
        numbers = {**{str(name): n for name, n in facts.samples.items()}, "skipped": skipped}
        figure = f"all samples read: {', '.join(counts)}"
        if not skipped:
            return Finding(figure=figure, numbers=numbers)
        return Finding(
            figure=f"{figure}; {skipped:,} skipped, because on_error is skip",
            verdict=Verdict.WARNING,
            hint="repair or delete them",
            named=facts.skipped,
            numbers=numbers,
        )
