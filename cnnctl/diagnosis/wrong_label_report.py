"""Likely wrong labels as text, as plain data and as a sheet of pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from cnnctl.diagnosis.wrong_labels import Answers, Suspect, WrongLabels
from cnnctl.drawing import sheet as sheets
from cnnctl.drawing.cells import painter_of
from cnnctl.drawing.naming import Naming
from cnnctl.escaping import visible
from cnnctl.inspection.grid import Grid, Heading

MOST_LINES = 20
"""Suspects in a table; JSON has all."""
MOST_PICTURES, PER_ROW = 96, 8
FAIR = 0.7
"""Agreement below which a network doubts too many labels to be believed; ours."""
POOR = "a network that agrees with {agreement:.0%} of all labels is a poor judge: train it better"
LEARNED = "the network has learned these labels, so it doubts few: --folds 5 trains others"


def render(answers: Answers, found: Sequence[WrongLabels]) -> RenderableType:
    """A line with the count, and a table of the first, for each head."""
    parts: list[RenderableType] = []
    for each in found:
        parts.append(Text(visible(_summary(answers, each)), style="bold"))
        if each.suspects:
            parts += [_table(each.suspects[:MOST_LINES])]
        if len(each.suspects) > MOST_LINES:
            parts.append(Text(f"and {len(each.suspects) - MOST_LINES:,} more: --json lists all"))
        if each.agreement < FAIR:
            parts.append(Text(f"note: {POOR.format(agreement=each.agreement)}"))
    if answers.is_learned:
        parts.append(Text(f"note: {LEARNED}"))
    return Group(*parts)


def _summary(answers: Answers, found: WrongLabels) -> str:
    head = f"{found.head}: " if found.head else ""
    count, total = len(found.suspects), len(answers.split)
    by = f", by {answers.folds} networks that had not seen them" if answers.folds else ""
    return f"{head}{count:,} of {total:,} labels of the {answers.name} split are likely wrong{by}"


def _table(suspects: Sequence[Suspect]) -> Grid:
    words = ("sample", "given", "share", "likely", "share")
    headings = [Heading(word, is_number=word == "share") for word in words]
    return Grid(headings, [_cells(each) for each in suspects])


def _cells(suspect: Suspect) -> list[str]:
    shares = (f"{share:.1%}" for share in (suspect.given_share, suspect.likely_share))
    given, likely = shares
    return [suspect.name, suspect.given, given, suspect.likely, likely]


def to_json(answers: Answers, found: Sequence[WrongLabels]) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "split": answers.name,
        "samples": len(answers.split),
        "folds": answers.folds,
        "is_learned": answers.is_learned,
        "heads": [each.to_json() for each in found],
    }


def draw(answers: Answers, found: Sequence[WrongLabels], naming: Naming) -> bytes:
    """A sheet of the first suspects of each head, as a PNG."""
    head = [naming.written(_summary(answers, each), each.classes) for each in found]
    rows = [row for each in found for row in _rows(answers, each, naming)]
    nothing = sheets.Row([sheets.Picture(None, ("no label is suspect",))])
    return sheets.draw(sheets.Sheet(rows or [nothing], head=head))


def _rows(answers: Answers, found: WrongLabels, naming: Naming) -> Iterator[sheets.Row]:
    shown = found.suspects[:MOST_PICTURES]
    if not shown:
        return
    samples = answers.pictures([each.position for each in shown])
    paint = painter_of([*samples])
    pictures = [
        sheets.Picture(paint(sample), _captions(each, found, naming))
        for sample, each in zip(samples, shown, strict=True)
    ]
    for first in range(0, len(pictures), PER_ROW):
        yield sheets.Row(pictures[first : first + PER_ROW], found.head if not first else "")


def _captions(suspect: Suspect, found: WrongLabels, naming: Naming) -> tuple[str, ...]:
    lines = (
        suspect.name,
        f"given {suspect.given} ({suspect.given_share:.0%})",
        f"likely {suspect.likely} ({suspect.likely_share:.0%})",
    )
    return tuple(naming.written(line, found.classes) for line in lines)
