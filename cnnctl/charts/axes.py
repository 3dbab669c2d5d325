"""The axes around a drawing of characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions
from rich.text import Text

from cnnctl.charts.scale import Scale, labels
from cnnctl.escaping import visible

WIDEST, NARROWEST = 100, 16
"""Columns of a chart at most, and of its drawing at least."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The characters around a drawing, and of a legend."""

    side: str
    tick: str
    corner: str
    base: str
    foot: str
    upright: str
    level: str
    line: str
    point: str


LINES = Frame("│", "┤", "└", "─", "┬", "┊", "┈", "━", "●")
ASCII = Frame("|", "+", "+", "-", "+", ":", ".", "-", "o")


def frame_of(options: ConsoleOptions) -> Frame:
    """The characters that a console can print."""
    return ASCII if options.ascii_only else LINES


def has_colours(console: Console) -> bool:
    """Whether a console prints colours."""
    return console.color_system is not None


@dataclass(frozen=True, slots=True)
class TextAxes:
    """Two axes, around a drawing of so many rows."""

    x: Scale
    y: Scale
    x_label: str
    rows: int
    frame: Frame
    has_whole_x: bool = False
    """Whether only whole numbers are shown on the x axis."""

    @property
    def margin(self) -> int:
        """Columns left of the axis."""
        return max(map(len, self._numbers().values()), default=0)

    def columns(self, width: int) -> int:
        """Columns of the drawing on a console of this width."""
        return max(NARROWEST, min(width, WIDEST) - self.margin - 2)

    def around(self, drawing: Sequence[Text], columns: int) -> Iterator[Text]:
        """The lines of a drawing, from the top, with its axes."""
        numbers, margin = self._numbers(), self.margin
        for row, text in enumerate(drawing):
            side = self.frame.tick if row in numbers else self.frame.side
            yield Text(f"{numbers.get(row, ''):>{margin}} {side}").append_text(text)
        yield from self._foot(columns)

    def _numbers(self) -> dict[int, str]:
        """The numbers of the y axis, by row."""
        ticks = self.y.ticks(most=max(3, self.rows // 3))
        rows = (
            min(max(round((1 - self.y.place(y)) * (self.rows - 1)), 0), self.rows - 1)
            for y in ticks
        )
        return dict(zip(rows, labels(ticks), strict=True))

    def _foot(self, columns: int) -> Iterator[Text]:
        """The x axis, its numbers, and its label."""
        ticks = self.x.ticks(most=max(3, columns // 10))
        if self.has_whole_x:
            ticks = [tick for tick in ticks if tick.is_integer()]
        base, numbers = [self.frame.base] * columns, ""
        for at, name in zip(ticks, labels(ticks), strict=True):
            column = round(self.x.place(at) * (columns - 1))
            base[column] = self.frame.foot
            start = min(max(0, column - len(name) // 2), columns - len(name))
            if start > len(numbers) or not numbers:
                numbers = f"{numbers:<{start}}{name}"
        indent, label = " " * (self.margin + 2), visible(self.x_label)
        yield Text(f"{indent[:-1]}{self.frame.corner}{''.join(base)}")
        if len(numbers) + len(label) + 2 <= columns:
            yield Text(f"{indent}{numbers:<{columns - len(label)}}{label}")
        else:
            yield Text(f"{indent}{numbers}")
            yield Text(f"{indent}{label:>{columns}}")


def packed(entries: Sequence[Text], *, width: int) -> Iterator[Text]:
    """The entries of a legend, as many in a line as fit."""
    line = Text()
    for entry in entries:
        if line and line.cell_len + 3 + entry.cell_len > width:
            yield line
            line = Text()
        line.append("   " if line else "").append_text(entry)
    yield line
