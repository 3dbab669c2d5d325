"""What was found in a table, for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from cnnctl.data.records import split_words
from cnnctl.escaping import visible
from cnnctl.proposals.document import counted
from cnnctl.proposals.table_facts import TableFacts
from cnnctl.proposals.target_report import about_targets, some


def render(facts: TableFacts) -> RenderableType:
    """The facts, a line each."""
    return Group(*(Text(visible(line)) for line in _lines(facts)))


def _lines(facts: TableFacts) -> Iterator[str]:
    rows, columns = len(facts.table), len(facts.table.columns)
    yield f"{facts.source}: {counted(rows, 'row')}, {counted(columns, 'column')}"
    kinds = Counter(column.kind for column in facts.columns.values())
    yield f"column kinds: {some(Counter(dict(kinds.most_common())))}"
    for name, reason in facts.ignored.items():
        yield f"    {name} is ignored: {reason}"
    if facts.missing:
        yield f"missing cells: {some(facts.missing)}"
    yield f"target: {', '.join(facts.targets)} ({facts.why_target})"
    yield from about_targets(facts.kinds, facts.table, of="rows")
    if facts.data.split:
        yield f"splits: {some(_splits(facts))}, from column {facts.data.split}"
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
    words = split_words(facts.data.split)
    return Counter(words[cell.lower()] for cell in facts.table.columns[facts.data.split])
