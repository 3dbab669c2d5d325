"""Headings and cells, as a table that fits where it is printed, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

GAP = 2
"""Blanks between columns."""


class Heading(NamedTuple):
    """What stands above a column, in one line or two."""

    text: str
    is_number: bool = True


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells below headings. The first column names the rows.

    Where room is short, words are folded and numbers stay whole; columns that still find none stand
    in a table of their own below, with the first column again.
    """

    headings: Sequence[Heading]
    rows: Sequence[Sequence[str]]
    styles: Sequence[str] = ()
    """Of the rows, as rich knows them."""
    narrowest: int = 12
    """Characters that a column of words is folded to, at most."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for number, chosen in enumerate(self._parts(options.max_width)):
            if number:
                yield Text()
            yield self._table(chosen)

    def to_markdown(self) -> str:
        """A table of GitHub's Markdown."""
        lines = [
            [heading.text.replace("-\n", "-").replace("\n", " ") for heading in self.headings],
            ["--:" if heading.is_number else ":--" for heading in self.headings],
            *self.rows,
        ]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def _parts(self, room: int) -> Iterator[list[int]]:
        """The columns, by position, that stand beside each other."""
        first, *others = (self._width(column) for column in range(len(self.headings)))
        chosen, taken = [0], first
        for column, width in enumerate(others, start=1):
            if len(chosen) > 1 and taken + GAP + width > room:
                yield chosen
                chosen, taken = [0], first
            chosen.append(column)
            taken += GAP + width
        yield chosen

    def _width(self, column: int) -> int:
        """Characters that a column takes at least."""
        heading = self.headings[column]
        lines = [*heading.text.splitlines(), *(row[column] for row in self.rows)]
        width = max(map(cell_len, lines), default=0)
        return width if heading.is_number else min(width, self.narrowest)

    def _table(self, chosen: Sequence[int]) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
        for heading in (self.headings[column] for column in chosen):
            justify: Literal["left", "right"] = "right" if heading.is_number else "left"
            table.add_column(
                heading.text, justify=justify, no_wrap=heading.is_number, overflow="fold"
            )
        for number, row in enumerate(self.rows):
            style = self.styles[number] if self.styles else None
            table.add_row(*(row[column] for column in chosen), style=style)
        return table
