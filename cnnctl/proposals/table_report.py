"""What was found in a table, for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import median

from rich.console import Group, RenderableType
from rich.text import Text

from cnnctl.data.records import SPLIT_WORDS
from cnnctl.escaping import visible
from cnnctl.proposals.document import counted
from cnnctl.proposals.settings import IMBALANCED, imbalance_of
from cnnctl.proposals.table_facts import TableFacts
from cnnctl.target import Target

SHOWN = 5
"""Columns or classes that are named."""


def render(facts: TableFacts) -> RenderableType:
    """The facts, a line each."""
    return Group(*(Text(visible(line)) for line in _lines(facts)))


def _lines(facts: TableFacts) -> Iterator[str]:
    rows, columns = len(facts.table), len(facts.table.columns)
    yield f"{facts.source}: {counted(rows, 'row')}, {counted(columns, 'column')}"
    kinds = Counter(column.kind for column in facts.columns.values())
    yield f"column kinds: {_some(Counter(dict(kinds.most_common())))}"
    for name, reason in facts.ignored.items():
        yield f"    {name} is ignored: {reason}"
    if facts.missing:
        yield f"missing cells: {_some(facts.missing)}"
    yield f"target: {', '.join(facts.targets)} ({facts.why_target})"
    for target in facts.data.described_targets():
        yield from _target(facts, target)
    if facts.data.split:
        yield f"splits: {_some(_splits(facts))}, from column {facts.data.split}"
    if facts.data.group:
        yield f"groups: from column {facts.data.group}; each stays in one split"
    if facts.torn:
        yield f"warning: {counted(facts.torn, 'row')} in two splits, which inflates the results"
    if repeated := facts.repeated:
        verb = "equals" if repeated == 1 else "equal"
        known = "" if facts.data.split else "; copies may end up in different splits"
        yield f"note: {counted(repeated, 'row')} {verb} an earlier one{known}"


def _splits(facts: TableFacts) -> Counter[str]:
    assert facts.data.split
    return Counter(SPLIT_WORDS[cell.lower()] for cell in facts.table.columns[facts.data.split])


def _target(facts: TableFacts, target: Target) -> Iterator[str]:
    several = len(facts.data.target_columns) > 1
    own = f" of {target.name}" if several else ""
    columns = facts.data.target_columns[target.name]
    if target.kind == "class":
        yield from _classes(facts.counts_of(columns.all_columns[0]), own)
    elif target.kind == "labels":
        counts = columns.encode(facts.table).sum(dim=0).int().tolist()
        named = dict(zip(target.class_names, counts, strict=True))
        yield f"labels{own}: {len(named):,} ({_some(named)})"
    else:
        values = columns.encode(facts.table).flatten().tolist()
        spread = f"{min(values):g} to {max(values):g}, median {median(values):g}"
        yield f"values{own}: {spread}"


def _classes(rows: Counter[str], own: str) -> Iterator[str]:
    counts = dict(rows.most_common())
    yield f"classes{own}: {len(counts):,} ({_some(counts)})"
    if (imbalance := imbalance_of(counts)) > IMBALANCED:
        [largest, *_, smallest] = counts
        compared = f"{largest} has {imbalance:.1f} times as many rows as {smallest}"
        yield f"balance: {compared}; the loss weights them"


def _some(counts: Mapping[str, int]) -> str:
    named = [f"{name} {count:,}" for name, count in list(counts.items())[:SHOWN]]
    return ", ".join(named + ["…"] * (len(counts) > SHOWN))
