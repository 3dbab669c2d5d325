"""The findings, for a terminal and as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, log10
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from cnnctl.diagnosis.checks.check import Check
from cnnctl.diagnosis.facts import Facts, Layer, Look, StepsTaken
from cnnctl.errors import SHOWN
from cnnctl.escaping import visible
from cnnctl.inspection.grid import Grid, Heading
from cnnctl.training.layer_statistics import LayerStatistics
from cnnctl.verification.finding import Finding, Verdict

STYLES = {Verdict.WARNING: "yellow", Verdict.UNKNOWN: "dim"}
NONE = ""
Findings = Mapping[Check, Finding]


def render(place: str, facts: Facts, findings: Findings) -> RenderableType:
    """A table with a row for each check, one with a row for each layer, and what to try."""
    headings = [Heading(text, is_number=False) for text in ("check", "result", "found")]
    rows = [[check.name, found.verdict, found.figure] for check, found in findings.items()]
    styles = [STYLES.get(found.verdict, "") for found in findings.values()]
    lines = (Text(visible(line)) for line in _lines(facts, findings))
    left_out = ", without its teachers" if facts.experiment.distill else ""
    head = Text(visible(f"{place}: {_what(facts)}{left_out}"))
    checks = Grid(headings, rows, styles, narrowest=30)
    return Group(head, checks, Text(), *_layers(facts), *lines)


def _what(facts: Facts) -> str:
    if not facts.is_trained:
        return "before training"
    if facts.history is None:
        return "its weights"
    count = len(facts.history)
    return f"{count:,} epoch{'s' if count > 1 else ''}"


def _layers(facts: Facts) -> Iterator[RenderableType]:
    """The table of layers, and a blank line."""
    rows = layer_rows(facts)
    if rows:
        names = ("gradient", "update", "spread", "dead", "saturated")
        headings = [Heading("layer", is_number=False), *map(Heading, names)]
        yield Grid(headings, [_cells(row) for row in rows])
        yield Text()


def layer_rows(facts: Facts) -> list[LayerStatistics]:
    """Gradients and updates of the steps, and the outputs before them, by layer."""
    outputs = {each.name: each.figures for each in _layers_of(facts.look)}
    steps = {each.name: each.figures for each in _layers_of(facts.steps)}
    return [_joined(name, steps.get(name), outputs.get(name)) for name in outputs | steps]


def _layers_of(found: Look | StepsTaken | None) -> Sequence[Layer]:
    return found.layers if found is not None else ()


def _joined(
    name: str, steps: LayerStatistics | None, outputs: LayerStatistics | None
) -> LayerStatistics:
    steps, outputs = steps or LayerStatistics(name), outputs or LayerStatistics(name)
    return LayerStatistics(
        name,
        steps.gradient,
        outputs.weight,
        steps.update,
        outputs.mean,
        outputs.spread,
        outputs.dead,
        outputs.saturated,
    )


def _cells(row: LayerStatistics) -> list[str]:
    return [
        row.layer,
        NONE if row.gradient is None else f"{row.gradient:.1e}",
        f"10^{log10(row.update):.1f}" if row.update else NONE,
        NONE if row.spread is None else f"{row.spread:.3g}",
        NONE if row.dead is None else f"{row.dead:.0%}",
        NONE if row.saturated is None else f"{row.saturated:.0%}",
    ]


def _lines(facts: Facts, findings: Findings) -> Iterator[str]:
    """Every warning with its threshold, its source and what to try, and what was not checked."""
    for check, found in findings.items():
        if found.verdict is Verdict.WARNING:
            yield from _warning(check, found)
    warned = sum(found.verdict is Verdict.WARNING for found in findings.values())
    left = [check.name for check, found in findings.items() if found.verdict is Verdict.UNKNOWN]
    summary = f"{len(findings) - len(left)} checks: "
    summary += f"{warned} warning{'s' if warned > 1 else ''}" if warned else "nothing found"
    yield summary + (f"; not checked: {', '.join(left)}" if left else "")
    if not facts.is_trained:
        yield "the checks of a training need its run folder"


def _warning(check: Check, found: Finding) -> Iterator[str]:
    yield f"warning: {found.figure}"
    yield from (f"    {name}" for name in found.named[:SHOWN])
    if len(found.named) > SHOWN:
        yield f"    … {len(found.named) - SHOWN:,} more, which --json lists"
    yield f"    {found.hint}"
    yield f"    warns if {check.threshold} ({check.source})"


def to_json(facts: Facts, findings: Findings) -> dict[str, Any]:
    """Findings and layers as plain data."""
    return {
        "is_trained": facts.is_trained,
        "constant_loss": facts.yardstick.constant,
        "checks": [_plain(check, found) for check, found in findings.items()],
        "layers": [
            {name: _finite(value) for name, value in row.to_json().items()}
            for row in layer_rows(facts)
        ],
    }


def _plain(check: Check, found: Finding) -> dict[str, Any]:
    return {
        "check": check.name,
        "verdict": str(found.verdict),
        "found": found.figure,
        "hint": found.hint,
        "named": list(found.named),
        "numbers": {name: _finite(value) for name, value in found.numbers.items()},
        "threshold": check.threshold,
        "source": check.source,
    }


def _finite(value: Any) -> Any:
    """JSON has no infinity."""
    return None if isinstance(value, float) and not isfinite(value) else value
