"""A chart as text, with a legend below."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from rich.console import Console, ConsoleOptions
from rich.style import Style
from rich.text import Text

from cnnctl.charts.canvas import Canvas, DotCanvas, SignCanvas
from cnnctl.charts.chart import Chart, Point, colour_of
from cnnctl.charts.scale import Scale, labels
from cnnctl.escaping import visible

WIDEST, NARROWEST = 100, 16
"""Columns of a chart at most, and of its drawing at least."""
SIGNS = "*o+x#@%&"
"""The characters of the series where there are no colours."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """The characters around a drawing."""

    side: str
    tick: str
    corner: str
    base: str
    foot: str
    upright: str
    level: str
    sample: str
    point: str


_LINES = _Frame("│", "┤", "└", "─", "┬", "┊", "┈", "━", "•")
_ASCII = _Frame("|", "+", "+", "-", "+", ":", ".", "-", "o")


class TerminalChart:
    """A chart to print, as wide as the console.

    A terminal with colours gets lines of braille dots; without colours, several series are told
    apart by the characters that they are drawn with.
    """

    def __init__(self, chart: Chart, *, rows: int = 14) -> None:
        self.chart, self.rows = chart, rows

    @cached_property
    def x(self) -> Scale:
        """The scale of the x axis."""
        marked = [mark.x for mark in self.chart.marks if mark.x is not None]
        return Scale.of([*marked, *(x for x, _ in self.chart.shown())], is_log=self.chart.has_log_x)

    @cached_property
    def y(self) -> Scale:
        """The scale of the y axis."""
        marked = [mark.y for mark in self.chart.marks if mark.y is not None]
        return Scale.of([*marked, *(y for _, y in self.chart.shown())], is_log=self.chart.has_log_y)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """The lines."""
        frame = _ASCII if options.ascii_only else _LINES
        has_colours = console.color_system is not None
        ticks = self.y.ticks(most=max(3, self.rows // 3))
        names = dict(zip(map(self._row, ticks), labels(ticks), strict=True))
        margin = max(map(len, names.values()), default=0)
        columns = max(NARROWEST, min(options.max_width, WIDEST) - margin - 2)
        canvas = self._canvas(columns, frame, has_colours=has_colours)
        yield Text(visible(self._heading()), style=Style(bold=True))
        for row in range(self.rows):
            side = frame.tick if row in names else frame.side
            yield Text(f"{names.get(row, ''):>{margin}} {side}").append_text(canvas.row(row))
        yield from self._foot(columns, margin, frame)
        width = margin + 2 + columns
        yield from self._legend(width, frame, has_colours=has_colours, is_dotted=canvas.across > 1)

    def _heading(self) -> str:
        return ", ".join(filter(None, (self.chart.title, self.chart.y)))

    def _row(self, y: float) -> int:
        return min(max(round((1 - self.y.place(y)) * (self.rows - 1)), 0), self.rows - 1)

    def _canvas(self, columns: int, frame: _Frame, *, has_colours: bool) -> Canvas:
        """The drawing inside the axes."""
        is_clear = has_colours or len(self.chart.series) == 1
        kind = DotCanvas if is_clear and frame is _LINES else SignCanvas
        canvas: Canvas = kind(columns, self.rows)
        for mark in self.chart.marks:
            if mark.x is not None:
                canvas.upright(self.x.place(mark.x), frame.upright)
            if mark.y is not None:
                canvas.level(self.y.place(mark.y), frame.level)
        for position, series in enumerate(self.chart.series):
            look = SIGNS[position % len(SIGNS)], self._style(position, has_colours=has_colours)
            for part in self.chart.parts(series):
                places = [self._place(point) for point in part]
                if series.style == "points":
                    canvas.points(places, *look)
                else:
                    canvas.line(places, *look, is_dashed=series.style == "dashed")
        return canvas

    def _style(self, position: int, *, has_colours: bool) -> Style:
        return Style(color=colour_of(self.chart, position)) if has_colours else Style()

    def _place(self, point: Point) -> tuple[float, float]:
        return self.x.place(point[0]), self.y.place(point[1])

    def _foot(self, columns: int, margin: int, frame: _Frame) -> Iterator[Text]:
        """The x axis, its numbers, and its label."""
        ticks = self.x.ticks(most=max(3, columns // 10))
        if self.chart.has_whole_x:
            ticks = [tick for tick in ticks if tick.is_integer()]
        base, numbers = [frame.base] * columns, ""
        for at, name in zip(ticks, labels(ticks), strict=True):
            column = round(self.x.place(at) * (columns - 1))
            base[column] = frame.foot
            start = min(max(0, column - len(name) // 2), columns - len(name))
            if start > len(numbers) or not numbers:
                numbers = f"{numbers:<{start}}{name}"
        yield Text(f"{'':>{margin}} {frame.corner}{''.join(base)}")
        label = visible(self.chart.x)
        if len(numbers) + len(label) + 2 <= columns:
            numbers = f"{numbers:<{columns - len(label)}}{label}"
            label = ""
        yield Text(f"{'':>{margin}}  {numbers}".rstrip())
        if label:
            yield Text(f"{'':>{margin}}  {label:>{columns}}")

    def _legend(
        self, columns: int, frame: _Frame, *, has_colours: bool, is_dotted: bool
    ) -> Iterator[Text]:
        """The series and the marks, as many in a line as fit."""
        line = Text()
        for entry in self._entries(frame, has_colours=has_colours, is_dotted=is_dotted):
            if line and line.cell_len + 3 + entry.cell_len > columns:
                yield line
                line = Text()
            line.append("   " if line else "").append_text(entry)
        yield line

    def _entries(self, frame: _Frame, *, has_colours: bool, is_dotted: bool) -> Iterator[Text]:
        for position, series in enumerate(self.chart.series):
            sign = frame.sample if is_dotted else SIGNS[position % len(SIGNS)]
            gap = " " if is_dotted and series.style == "dashed" else sign
            is_point = is_dotted and series.style == "points"
            sample = frame.point if is_point else f"{sign}{gap}{sign}"
            style = self._style(position, has_colours=has_colours)
            yield Text.assemble((sample, style), f" {visible(series.name)}")
        for mark in self.chart.marks:
            sample = frame.upright if mark.y is None else frame.level * 3
            yield Text.assemble((sample, Style(dim=True)), f" {visible(mark.name)}")
