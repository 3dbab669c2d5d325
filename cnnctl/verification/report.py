"""The findings, for a terminal and as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from cnnctl.config.wording import shape_of_sample
from cnnctl.errors import SHOWN
from cnnctl.escaping import visible
from cnnctl.inspection.grid import Grid, Heading
from cnnctl.verification.facts import Facts
from cnnctl.verification.finding import Check, Finding, Verdict

STYLES = {Verdict.WARNING: "yellow", Verdict.ERROR: "red", Verdict.UNKNOWN: "dim"}
Findings = Mapping[Check, Finding]


def render(place: str, facts: Facts, findings: Findings) -> RenderableType:
    """What was read, a table with a row for each check, and below it what is named."""
    experiment, description = facts.loaded.experiment, facts.loaded.description
    size = shape_of_sample(description.shape)
    head = f"{place}: {experiment.data.kind}, samples of {size}"
    headings = [Heading(text, is_number=False) for text in ("check", "result", "found")]
    rows = [[check.name, found.verdict, found.figure] for check, found in findings.items()]
    styles = [STYLES.get(found.verdict, "") for found in findings.values()]
    lines = (Text(visible(line)) for found in findings.values() for line in _below(found))
    return Group(Text(visible(head)), Grid(headings, rows, styles, narrowest=30), *lines)


def _below(found: Finding) -> Iterator[str]:
    """The named samples of a finding, and what to do."""
    if found.verdict is Verdict.WARNING:
        yield f"warning: {found.figure}"
        yield f"    {found.hint}"
    elif found.named:
        yield f"{found.figure}:"
    yield from _some(found.named)


def _some(names: Sequence[str]) -> Iterator[str]:
    yield from (f"    {name}" for name in names[:SHOWN])
    if len(names) > SHOWN:
        yield f"    … {len(names) - SHOWN:,} more, which --json lists"


def to_json(findings: Findings) -> list[dict[str, Any]]:
    """The findings as plain data, all samples named."""
    return [
        {
            "check": check.name,
            "verdict": str(found.verdict),
            "found": found.figure,
            "hint": found.hint,
            "named": list(found.named),
            "numbers": dict(found.numbers),
            "source": check.source,
        }
        for check, found in findings.items()
    ]
