"""What was found in targets, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median

from cnnctl.data.sample_targets import TargetSource
from cnnctl.data.tables.targets import TargetColumns
from cnnctl.proposals.heads import counted_in, has_weights
from cnnctl.proposals.settings import IMBALANCED, imbalance_of

SHOWN = 5
"""Classes or labels that are named."""


def about_targets(
    kinds: Mapping[str, TargetColumns], source: TargetSource, *, of: str
) -> Iterator[str]:
    """Lines on each target of these samples; `of` is what they are called, in the plural."""
    for at, (name, kind) in enumerate(kinds.items()):
        own = f" of {name}" if len(kinds) > 1 else ""
        counts = counted_in(kind, source)
        if kind.task == "classification":
            yield f"classes{own}: {len(counts):,} ({some(counts)})"
            if (imbalance := imbalance_of(counts)) > IMBALANCED:
                [largest, *_, smallest] = counts
                is_weighted = has_weights(counts, is_main=not at)
                weighted = "; the loss weights them" if is_weighted else ""
                compared = f"{largest} has {imbalance:.1f} times as many {of} as {smallest}"
                yield f"balance: {compared}{weighted}"
        elif counts:
            yield f"labels{own}: {len(counts):,} ({some(counts)})"
        else:
            values = kind.encode(source).flatten().tolist()
            spread = f"{min(values):g} to {max(values):g}, median {median(values):g}"
            yield f"values{own}: {spread}"


def some(counts: Mapping[str, int]) -> str:
    """`cat 30, dog 20, …`."""
    named = [f"{name} {count:,}" for name, count in list(counts.items())[:SHOWN]]
    return ", ".join(named + ["…"] * (len(counts) > SHOWN))
