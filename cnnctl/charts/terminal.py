"""A chart as text, with a legend below."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from rich.console import Console, ConsoleOptions
from rich.style import Style
from rich.text import Text

from cnnctl.charts.axes import LINES, Frame, TextAxes, frame_of, has_colours, packed
from cnnctl.charts.canvas import Canvas, DotCanvas, SignCanvas
from cnnctl.charts.chart import Chart, colour_of
from cnnctl.charts.scale import Scale
from cnnctl.escaping import visible

SIGNS = "*o+x#@%&"
"""The characters of the series where there are no colours."""


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
        frame, is_coloured = frame_of(options), has_colours(console)
        axes = TextAxes(self.x, self.y, self.chart.x, self.rows, frame, self.chart.has_whole_x)
        columns = axes.columns(options.max_width)
        canvas = self._canvas(columns, frame, is_coloured=is_coloured)
        heading = ", ".join(filter(None, (self.chart.title, self.chart.y)))
        yield Text(visible(heading), style=Style(bold=True))
        yield from axes.around([canvas.row(row) for row in range(self.rows)], columns)
        entries = self._legend(frame, is_coloured=is_coloured, is_dotted=canvas.across > 1)
        yield from packed(list(entries), width=axes.margin + 2 + columns)

    def _canvas(self, columns: int, frame: Frame, *, is_coloured: bool) -> Canvas:
        """The drawing inside the axes."""
        is_clear = is_coloured or len(self.chart.series) == 1
        kind = DotCanvas if is_clear and frame is LINES else SignCanvas
        canvas: Canvas = kind(columns, self.rows)
        for mark in self.chart.marks:
            if mark.x is not None:
                canvas.upright(self.x.place(mark.x), frame.upright)
            if mark.y is not None:
                canvas.level(self.y.place(mark.y), frame.level)
        for position, series in enumerate(self.chart.series):
            look = SIGNS[position % len(SIGNS)], self._style(position, is_coloured=is_coloured)
            for part in self.chart.parts(series):
                places = [(self.x.place(x), self.y.place(y)) for x, y in part]
                if series.style == "points":
                    canvas.points(places, *look)
                else:
                    canvas.line(places, *look, is_dashed=series.style == "dashed")
        return canvas

    def _style(self, position: int, *, is_coloured: bool) -> Style:
        return Style(color=colour_of(self.chart, position)) if is_coloured else Style()

    def _legend(self, frame: Frame, *, is_coloured: bool, is_dotted: bool) -> Iterator[Text]:
        """The series and the marks."""
        for position, series in enumerate(self.chart.series):
            sign = frame.line if is_dotted else SIGNS[position % len(SIGNS)]
            gap = " " if is_dotted and series.style == "dashed" else sign
            is_point = is_dotted and series.style == "points"
            sample = frame.point if is_point else f"{sign}{gap}{sign}"
            style = self._style(position, is_coloured=is_coloured)
            yield Text.assemble((sample, style), f" {visible(series.name)}")
        for mark in filter(lambda mark: mark.name, self.chart.marks):
            sample = frame.upright if mark.y is None else frame.level * 3
            yield Text.assemble((sample, Style(dim=True)), f" {visible(mark.name)}")
