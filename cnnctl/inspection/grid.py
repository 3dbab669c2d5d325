"""Headings and cells, as a table that fits the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from cnnctl.escaping import visible

WIDE_GAP, NARROW_GAP = 2, 1
"""Spaces between columns: usually, and if there is little room."""


class Heading(NamedTuple):
    """The heading of a column, in one line or two."""

    text: str
    is_number: bool = True

    @property
    def in_one_line(self) -> str:
        """The text without its line break."""
        return self.text.replace("-\n", "-").replace("\n", " ")


def _cell(text: str) -> str:
    """Text that is escaped for a cell of a Markdown table."""
    return visible(text).replace("|", r"\|")


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of cells with headings. The first column names the rows.

    In a narrow terminal, columns move closer and words are folded, but not numbers; columns that
    still do not fit go to another table below, which repeats the first column.
    """

    headings: Sequence[Heading]
    rows: Sequence[Sequence[str]]
    styles: Sequence[str] = ()
    """Styles of the rows, as in rich."""
    narrowest: int = 12
    """Minimum width to which a column of words is folded, in characters."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.max_width
        gap = WIDE_GAP if self._whole_width() <= room else NARROW_GAP
        for number, chosen in enumerate(self._parts(room, gap)):
            if number:
                yield Text()
            yield self._table(chosen, gap)

    def to_markdown(self) -> str:
        """The table in GitHub's Markdown."""
        lines = [
            [_cell(heading.in_one_line) for heading in self.headings],
            ["--:" if heading.is_number else ":--" for heading in self.headings],
            *([_cell(text) for text in row] for row in self.rows),
        ]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def _whole_width(self) -> int:
        """Width of all columns if nothing is folded."""
        widths = [self._width(column) for column in range(len(self.headings))]
        return sum(widths) + WIDE_GAP * (len(widths) - 1)

    def _parts(self, room: int, gap: int) -> Iterator[list[int]]:
        """Split the columns, by position, into tables that fit."""
        first, *others = (self._folded_width(column) for column in range(len(self.headings)))
        chosen, taken = [0], first
        for column, width in enumerate(others, start=1):
            if len(chosen) > 1 and taken + gap + width > room:
                yield chosen
                chosen, taken = [0], first
            chosen.append(column)
            taken += gap + width
        yield chosen

    def _folded_width(self, column: int) -> int:
        """Minimum width of a column."""
        width = self._width(column)
        return width if self.headings[column].is_number else min(width, self.narrowest)

    def _width(self, column: int) -> int:
        """Width of a column if nothing is folded."""
        lines = [*self.headings[column].text.splitlines(), *(row[column] for row in self.rows)]
        return max(map(cell_len, lines), default=0)

    def _table(self, chosen: Sequence[int], gap: int) -> Table:
        table = Table(
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            show_edge=False,
            padding=(0, gap - 1),
            collapse_padding=True,
        )
        for heading in (self.headings[column] for column in chosen):
            justify: Literal["left", "right"] = "right" if heading.is_number else "left"
            table.add_column(
                Text(heading.text), justify=justify, no_wrap=heading.is_number, overflow="fold"
            )
        for number, row in enumerate(self.rows):
            style = self.styles[number] if self.styles else None
            table.add_row(*(row[column] for column in chosen), style=style)
        return table
