"""Numbers as colours: maps, maps over samples, and the bar that tells what a colour means."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PIL import Image, ImageChops, ImageDraw
from torch import Tensor

from cnnctl.drawing.cells import HEIGHT, INK, WIDTH, pixel_by_pixel
from cnnctl.drawing.lettering import FONT

Palette = tuple[str, ...]
"""Colours in equal steps."""
RISING: Palette = ("#000004", "#3b0f70", "#8c2981", "#de4968", "#fe9f6d", "#fcfdbf")
"""From 0 to the strongest, for pictures: matplotlib's magma."""
RISING_ON_WHITE: Palette = ("#ffffff", "#fff0c0", "#fec25d", "#f47b3a", "#d0302b", "#7a0f2b")
"""The same for what is drawn on white: signals."""
DIVERGING: Palette = ("#2166ac", "#92c5de", "#f7f7f7", "#f4a582", "#b2182b")
"""From the most negative over 0 to the most positive: ColorBrewer's RdBu, reversed."""
BAR, LETTERS = 8, 16
"""Heights of a scale and of the numbers below it, in pixels."""
LEAST_FOR_ZERO = 90
"""Width from which on there is room for a third number below a scale."""
VEIL = 0.75
"""How much of a picture the strongest colour of a map over it hides."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Which colours numbers have: from -limit or 0 to limit; beyond, those at the ends."""

    limit: float
    palette: Palette

    @property
    def is_signed(self) -> bool:
        """Whether it has colours for negative numbers."""
        return self.palette is DIVERGING

    @property
    def lowest(self) -> float:
        """The number of the first colour."""
        return -self.limit if self.is_signed else 0.0

    def shares(self, values: Tensor) -> Tensor:
        """Numbers as shares of the limit, from -1 or 0 to 1."""
        if not self.limit:
            return torch.zeros_like(values)
        return (values / self.limit).clamp(-1 if self.is_signed else 0, 1)

    def colours(self, values: Tensor) -> Tensor:
        """Numbers (…) as colours (…, 3) from 0 to 1."""
        steps = torch.tensor([_levels(colour) for colour in self.palette])
        share = self.shares(values)
        place = ((share + 1) / 2 if self.is_signed else share) * (len(steps) - 1)
        before = place.floor().long().clamp(max=len(steps) - 2)
        part = (place - before).unsqueeze(-1)
        return steps[before] * (1 - part) + steps[before + 1] * part


def _levels(colour: str) -> list[float]:
    """`#ff0000` as red, green and blue from 0 to 1."""
    return [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]


def heat(values: Tensor, scale: Scale) -> Tensor:
    """A map (H, W) as an image, (3, H, W) from 0 to 1."""
    return scale.colours(values).permute(2, 0, 1)


def overlaid(pixels: Tensor, values: Tensor, scale: Scale) -> Tensor:
    """A map (H, W) over an image (C, H, W) in grey: the stronger, the less of it shows.

    Returns (3, H, W) from 0 to 1.
    """
    grey = pixels[:3].mean(0, keepdim=True) if len(pixels) >= 3 else pixels[:1]
    veil = scale.shares(values).abs() * VEIL
    return grey.clamp(0, 1) * (1 - veil) + heat(values, scale) * veil


def stripes(values: Tensor, scale: Scale) -> Image.Image:
    """A map (C, L) of a signal, of the size of its curves: a stripe for each channel."""
    shown = pixel_by_pixel(heat(values, scale))
    return shown.resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)


def shaded(curves: Image.Image, values: Tensor, scale: Scale) -> Image.Image:
    """The curves of a signal over its map, (1, L)."""
    return ImageChops.multiply(stripes(values, scale), curves)


def with_scale(picture: Image.Image, scale: Scale) -> Image.Image:
    """A picture above all colours of its scale, from left to right, and their numbers."""
    size = picture.width, picture.height + 2 + BAR + LETTERS
    canvas = Image.new("RGB", size, "white")
    canvas.paste(picture, (0, 0))
    top = picture.height + 2
    across = torch.linspace(0, 1, picture.width) * (scale.limit - scale.lowest) + scale.lowest
    canvas.paste(pixel_by_pixel(heat(across.expand(BAR, -1), scale)), (0, top))
    pen = ImageDraw.Draw(canvas)
    first, last = f"{scale.lowest:.2g}", f"{scale.limit:.2g}"
    pen.text((0, top + BAR + 1), first, fill=INK, font=FONT)
    end = picture.width - FONT.getlength(last)
    pen.text((end, top + BAR + 1), last, fill=INK, font=FONT)
    if scale.is_signed and picture.width >= LEAST_FOR_ZERO:
        pen.text((picture.width / 2 - 3, top + BAR + 1), "0", fill=INK, font=FONT)
    return canvas
