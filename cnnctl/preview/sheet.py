"""A preview as a PNG: a row for each sample, and the learning rates below."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageDraw

from cnnctl.preview.cells import INK, Painter, draw_curve, painter_of
from cnnctl.preview.gather import Cell, Preview
from cnnctl.preview.lettering import FONT, shortened
from cnnctl.preview.rates import Rates

MARGIN, GAP, LINE = 16, 8, 16
"""Around the sheet, between cells, and for a line of text, in pixels."""
LEAST_COLUMN, LEAST_WIDTH = 96, 480
PLOT = 120
"""Height of the learning rates."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is on a sheet."""

    picture: tuple[int, int]
    """Width and height of the picture of a sample."""
    rows: int
    columns: int

    @property
    def column(self) -> int:
        """The width of a column."""
        return max(self.picture[0], LEAST_COLUMN)

    @property
    def row(self) -> int:
        """The height of a row with its captions and the gap below."""
        return self.picture[1] + LINE + GAP

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet."""
        width = 2 * MARGIN + self.columns * (self.column + GAP) - GAP
        return max(width, LEAST_WIDTH), self.plot_top + PLOT + LINE + MARGIN

    @property
    def plot_top(self) -> int:
        """Where the plot of the learning rates begins, below its title."""
        return MARGIN + LINE + self.rows * self.row + LINE

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """The upper left corner of a picture."""
        return MARGIN + column * (self.column + GAP), MARGIN + LINE + row * self.row


def draw(preview: Preview) -> bytes:
    """Draw the sheet, as a PNG."""
    cells = [cell for row in preview.rows for cell in row if cell]
    painter = painter_of([cell.values for cell in cells])
    picture = painter(cells[0].values).size
    layout = Layout(picture, len(preview.rows), len(preview.columns))
    sheet = Image.new("RGB", layout.size, "white")
    pen = ImageDraw.Draw(sheet)
    for number, title in enumerate(preview.columns):
        x, y = layout.corner(0, number)
        pen.text((x, y - LINE), title, fill=INK, font=FONT)
    for row, samples in enumerate(preview.rows):
        for column, cell in enumerate(samples):
            _draw_cell(sheet, cell, painter, layout, layout.corner(row, column))
    _draw_rates(pen, preview.rates, layout)
    content = BytesIO()
    sheet.save(content, format="PNG")
    return content.getvalue()


def _draw_cell(
    sheet: Image.Image, cell: Cell | None, painter: Painter, layout: Layout, at: tuple[int, int]
) -> None:
    if cell is not None:
        sheet.paste(painter(cell.values), at)
    text = shortened(cell.label if cell else "not drawn", width=layout.column)
    below = at[0], at[1] + layout.picture[1]
    ImageDraw.Draw(sheet).text(below, text, fill=INK, font=FONT)


def _draw_rates(pen: ImageDraw.ImageDraw, rates: Rates, layout: Layout) -> None:
    """The curves from 0 to the highest rate."""
    highest = max(map(max, rates.curves))
    left, right = MARGIN, layout.size[0] - MARGIN - 1
    top, bottom = layout.plot_top, layout.plot_top + PLOT - 1
    title = f"learning rate, 0 to {highest:.3g}"
    pen.text((left, top - LINE), title, fill=INK, font=FONT)
    pen.rectangle((left, top, right, bottom), outline="#d5dae0")
    for number, curve in enumerate(rates.curves):
        draw_curve(pen, curve, (left, top, right, bottom), 0.0, highest, number)
    ends = f"{rates.epochs} epochs, {rates.total:,} steps"
    pen.text((left, bottom + 2), "0", fill=INK, font=FONT)
    pen.text((right - FONT.getlength(ends), bottom + 2), ends, fill=INK, font=FONT)
