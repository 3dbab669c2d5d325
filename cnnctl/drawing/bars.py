"""Numbers by name as bars, to both sides of zero where they are signed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw

from cnnctl.drawing.cells import INK, TEXT_HEIGHT
from cnnctl.drawing.lettering import FONT, shortened
from cnnctl.drawing.maps import DIVERGING, Scale

NAME, BAR, NUMBER = 220, 240, 70
"""Widths of the parts of a row, in pixels."""
MOST_ROWS = 20
HEIGHT = TEXT_HEIGHT + 4


def named_bars(names: Sequence[str], numbers: Sequence[float], *, is_signed: bool) -> Image.Image:
    """A row for each of the largest numbers: its name, a bar and the number, largest first."""
    order = sorted(range(len(numbers)), key=lambda place: -abs(numbers[place]))
    shown, rest = order[:MOST_ROWS], len(order[MOST_ROWS:])
    size = NAME + BAR + NUMBER, HEIGHT * (len(shown) + bool(rest))
    canvas = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(canvas)
    zero, room = (NAME + BAR // 2, BAR // 2) if is_signed else (NAME, BAR)
    longest = abs(numbers[order[0]]) or 1.0
    for row, place in enumerate(shown):
        number, top = numbers[place], row * HEIGHT
        left, right = sorted((zero, zero + round(room * number / longest)))
        pen.rectangle((left, top + 2, right, top + HEIGHT - 3), fill=_fill(number))
        pen.text((0, top + 2), shortened(names[place], width=NAME - 8), fill=INK, font=FONT)
        pen.text((NAME + BAR + 8, top + 2), f"{number:.3g}", fill=INK, font=FONT)
    if rest:
        pen.text((0, len(shown) * HEIGHT + 2), f"and {rest:,} smaller ones", fill=INK, font=FONT)
    pen.line((zero, 0, zero, HEIGHT * len(shown)), fill=INK)
    return canvas


def _fill(number: float) -> tuple[int, int, int]:
    """The colour of positive or negative numbers."""
    end = torch.tensor(1.0 if number >= 0 else -1.0)
    red, green, blue = Scale(1.0, DIVERGING).colours(end).mul(255).round().int().tolist()
    return red, green, blue
