"""Rows of many small panels: filters, channels, what a unit prefers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from torch import Tensor

from cnnctl.explanation.explanation import Fact, HeatMap, Panel, Row

ACROSS = 8
"""Panels of a row."""


def in_rows(
    panels: Sequence[Panel],
    *,
    name: str,
    title: str = "",
    facts: Mapping[str, Fact] | None = None,
    across: int = ACROSS,
) -> Iterator[Row]:
    """Panels in rows of equal length, the first of which has the title and the facts."""
    for start in range(0, len(panels), across):
        shown = panels[start : start + across]
        yield Row(name, "" if start else title, shown, {} if start else facts or {})


def on_one_scale(values: Tensor, captions: Iterable[str]) -> list[Panel]:
    """Maps (K, …) on one scale, drawn below the first; signed if one has a negative number."""
    limit, is_signed = float(values.abs().max()), bool((values < 0).any())
    return [
        Panel(None, HeatMap(each, is_signed, limit), (caption,), has_scale=number == 0)
        for number, (each, caption) in enumerate(zip(values, captions, strict=True))
    ]
