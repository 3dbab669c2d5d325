"""A preview as a PNG: a row for each sample, and the learning rates below."""

from __future__ import annotations

from PIL import Image, ImageDraw

from cnnctl.drawing.cells import INK, Painter, draw_curve, painter_of
from cnnctl.drawing.lettering import FONT
from cnnctl.drawing.sheet import LINE, Picture, Row, Sheet
from cnnctl.drawing.sheet import draw as draw_sheet
from cnnctl.experiment.rates import Rates
from cnnctl.preview.gather import Cell, Preview

PLOT = 120
"""Height of the learning rates."""


def draw(preview: Preview) -> bytes:
    """Draw the sheet, as a PNG."""
    painter = painter_of([cell.values for row in preview.rows for cell in row if cell])
    rows = [Row([_picture(cell, painter) for cell in cells]) for cells in preview.rows]
    sheet = Sheet(rows, preview.columns)
    return draw_sheet(sheet, foot=_rates(preview.rates, width=sheet.width))


def _picture(cell: Cell | None, painter: Painter) -> Picture:
    return Picture(painter(cell.values), (cell.label,)) if cell else Picture(None, ("not drawn",))


def _rates(rates: Rates, *, width: int) -> Image.Image:
    """The curves from 0 to the highest rate."""
    canvas = Image.new("RGB", (width, LINE + PLOT + LINE), "white")
    pen = ImageDraw.Draw(canvas)
    highest = max(map(max, rates.curves))
    top, right, bottom = LINE, width - 1, LINE + PLOT - 1
    pen.text((0, 0), f"learning rate, 0 to {highest:.3g}", fill=INK, font=FONT)
    pen.rectangle((0, top, right, bottom), outline="#d5dae0")
    for number, curve in enumerate(rates.curves):
        draw_curve(pen, curve, (0, top, right, bottom), 0.0, highest, number)
    ends = f"{rates.epochs} epochs, {rates.total:,} steps"
    pen.text((0, bottom + 2), "0", fill=INK, font=FONT)
    pen.text((right - FONT.getlength(ends), bottom + 2), ends, fill=INK, font=FONT)
    return canvas
