"""What was found in a table, for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import median

from rich.console import Group, RenderableType
from rich.text import Text

from cnnctl.escaping import visible
from cnnctl.proposals.document import counted
from cnnctl.proposals.settings import IMBALANCED
from cnnctl.proposals.table_facts import TableFacts

SHOWN = 5
"""Columns or classes that are named."""


def render(facts: TableFacts) -> RenderableType:
    """The facts, a line each."""
    return Group(*(Text(visible(line)) for line in _lines(facts)))


def _lines(facts: TableFacts) -> Iterator[str]:
    rows, columns = len(facts.table), len(facts.table.columns)
    yield f"{facts.source}: {counted(rows, 'row')}, {counted(columns, 'column')}"
    kinds = Counter(column.kind for column in facts.columns.values())
    yield f"columns: {', '.join(f'{count:,} {kind}' for kind, count in kinds.most_common())}"
    for name, reason in facts.ignored.items():
        yield f"    {name} is ignored: {reason}"
    if facts.missing:
        yield f"missing cells: {_some(facts.missing)}"
    yield f"target: {facts.target}, {facts.why_target}"
    if facts.data.classes:
        yield from _classes(facts)
    else:
        values = [float(cell) for cell in facts.table.columns[facts.target]]
        yield f"values: {min(values):g} to {max(values):g}, median {median(values):g}"
    if repeated := facts.repeated:
        verb = "equals" if repeated == 1 else "equal"
        yield f"note: {counted(repeated, 'row')} {verb} an earlier one; copies may be in two splits"


def _classes(facts: TableFacts) -> Iterator[str]:
    counts = dict(facts.counts.most_common())
    yield f"classes: {len(counts):,} ({_some(counts)})"
    if facts.imbalance > IMBALANCED:
        [largest, *_, smallest] = counts
        compared = f"{largest} has {facts.imbalance:.1f} times the rows of {smallest}"
        yield f"balance: {compared}; the loss weights them"


def _some(counts: Mapping[str, int]) -> str:
    named = [f"{name} {count:,}" for name, count in list(counts.items())[:SHOWN]]
    return ", ".join(named + ["…"] * (len(counts) > SHOWN))
