"""A landscape as text: coloured half blocks, or a letter for each class without colours."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from rich.color import Color
from rich.console import Console, ConsoleOptions
from rich.style import Style
from rich.text import Text
from torch import Tensor

from cnnctl.charts.axes import Frame, TextAxes, frame_of, has_colours, packed
from cnnctl.charts.scale import Scale
from cnnctl.escaping import visible
from cnnctl.plotting.colours import Colour, class_colours, on_scale, pixels, sample_colours
from cnnctl.plotting.landscape import Landscape

WIDEST = 72
"""Columns at most, with the axis."""
ROWS = 24
LETTERS = "abcdefghijklmnopqrstuvwxyz"
RAMP = " .:-=+*%@"
"""Characters from the lowest to the highest quantity."""
UPPER = "▀"
DARK = 0.75
"""Samples are darker than the region of their class."""


class LandscapeText:
    """A plane to print, as wide as the console."""

    def __init__(self, landscape: Landscape, *, rows: int = ROWS) -> None:
        self.landscape, self.rows = landscape, rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """The lines."""
        frame = frame_of(options)
        is_coloured = has_colours(console) and not options.ascii_only
        across, up = (Scale(axis.low, axis.high) for axis in self.landscape.axes)
        axes = TextAxes(across, up, self.landscape.axes[0].name, self.rows, frame)
        columns = axes.columns(min(options.max_width, WIDEST))
        drawing = self._coloured(columns) if is_coloured else self._lettered(columns)
        yield Text(visible(self.landscape.title), style=Style(bold=True))
        if self.landscape.axes[1].name:
            yield Text(visible(self.landscape.axes[1].name))
        yield from axes.around(drawing, columns)
        legend = self._legend(frame) if is_coloured else self._letters()
        yield from packed(list(legend), width=axes.margin + 2 + columns)
        yield from (Text(visible(remark)) for remark in self.landscape.remarks)

    def _coloured(self, columns: int) -> list[Text]:
        """Two pixels for each character, and a dot where there is a sample."""
        shown = self._resized(self._pixels(), 2 * self.rows, columns).tolist()
        dots = self._dots(columns)
        lines = []
        for row in range(self.rows):
            text = Text()
            for column in range(columns):
                upper, lower = shown[2 * row][column], shown[2 * row + 1][column]
                if (sample := dots.get((row, column))) is not None:
                    text.append("●", Style(color=_dark(sample), bgcolor=_colour(upper)))
                else:
                    text.append(UPPER, Style(color=_colour(upper), bgcolor=_colour(lower)))
            lines.append(text)
        return lines

    def _pixels(self) -> Tensor:
        if self.landscape.answers is not None:
            return pixels(self.landscape)
        return torch.full((2, 2, 3), 255, dtype=torch.uint8)

    def _resized(self, values: Tensor, rows: int, columns: int) -> Tensor:
        """The nearest of values (height, width, …) for each character, from the top."""
        height, width = values.shape[:2]
        down = (torch.arange(rows).flip(0) + 0.5) * height / rows
        right = (torch.arange(columns) + 0.5) * width / columns
        return values[down.long()][:, right.long()]

    def _dots(self, columns: int) -> dict[tuple[int, int], Colour]:
        colours = sample_colours(self.landscape)
        return {at: colours[number] for at, number in self._cells(columns).items()}

    def _cells(self, columns: int) -> dict[tuple[int, int], int]:
        """The sample in each row and column that has one."""
        across, up = (Scale(axis.low, axis.high) for axis in self.landscape.axes)
        found = {}
        for number, (x, y) in enumerate(self.landscape.samples.places.tolist()):
            row = round((1 - up.place(y)) * (self.rows - 1))
            column = round(across.place(x) * (columns - 1))
            if 0 <= row < self.rows and 0 <= column < columns:
                found[row, column] = number
        return found

    def _lettered(self, columns: int) -> list[Text]:
        """Small letters for regions and capitals for samples; or a ramp of characters."""
        landscape, cells = self.landscape, self._cells(columns)
        background = [[" "] * columns for _ in range(self.rows)]
        if landscape.answers is not None:
            best = landscape.answers.argmax(-1) if landscape.classes else self._steps()
            signs = LETTERS if landscape.classes else RAMP
            shown = self._resized(best, self.rows, columns).tolist()
            background = [[signs[each % len(signs)] for each in row] for row in shown]
        targets = landscape.samples.targets.tolist()
        for (row, column), number in cells.items():
            letter = LETTERS[int(targets[number]) % len(LETTERS)].upper()
            background[row][column] = letter if landscape.classes else "o"
        return [Text("".join(row)) for row in background]

    def _steps(self) -> Tensor:
        assert self.landscape.answers is not None
        low, high = self.landscape.range
        place = ((self.landscape.answers[..., 0] - low) / (high - low)).clamp(0, 1).nan_to_num()
        return (place * len(RAMP)).long().clamp(max=len(RAMP) - 1)

    def _legend(self, frame: Frame) -> Iterator[Text]:
        colours = class_colours(len(self.landscape.classes))
        for name, colour in zip(self.landscape.classes, colours, strict=True):
            yield Text.assemble((frame.point, Style(color=_colour(colour))), f" {visible(name)}")
        if not self.landscape.classes:
            scale = on_scale(torch.linspace(0, 1, 16), (0.0, 1.0)).tolist()
            bar = Text.assemble(*((" ", Style(bgcolor=_colour(each))) for each in scale))
            yield self._around(bar)

    def _letters(self) -> Iterator[Text]:
        for number, name in enumerate(self.landscape.classes):
            letter = LETTERS[number % len(LETTERS)]
            yield Text(f"{letter} {visible(name)}")
        yield Text("capitals: samples") if self.landscape.classes else self._around(Text(RAMP))

    def _around(self, scale: Text) -> Text:
        low, high = self.landscape.range
        quantity = visible(self.landscape.quantity)
        return Text(f"{quantity}: {low:.4g} ").append_text(scale).append(f" {high:.4g}")


def _colour(colour: Colour) -> Color:
    return Color.from_rgb(*colour)


def _dark(colour: Colour) -> Color:
    return Color.from_rgb(*(DARK * each for each in colour))
