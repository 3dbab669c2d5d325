"""How findings call pairs of samples, and times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cnnctl.verification.facts import Pair


def equal_names(pairs: Sequence[Pair], *, sign: str = "=") -> list[str]:
    """`test a.png = train b.png`, for each pair."""
    return [
        f"{pair.split} {pair.name} {sign} {pair.other_split} {pair.other_name}" for pair in pairs
    ]


def splits_of(pairs: Sequence[Pair]) -> str:
    """`2 of test in train, 1 of validation in train`."""
    counts = Counter((pair.split, pair.other_split) for pair in pairs)
    return ", ".join(
        f"{count:,} of {split} in {other}" for (split, other), count in counts.most_common()
    )


def shown_time(seconds: float) -> str:
    """`3 ms`, `4.1 s`, `12 min`, `3.2 h`."""
    if seconds < 0.1:
        return f"{1000 * seconds:.2g} ms"
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
