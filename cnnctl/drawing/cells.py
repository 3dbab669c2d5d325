"""Pictures of single samples: images as they are, signals as curves, vectors as bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from cnnctl.drawing.lettering import FONT, shortened

Painter = Callable[[Tensor], Image.Image]

SMALL, LARGE = 96, 224
"""Sides in pixels, up to which images are enlarged by whole factors, and down to which reduced."""
WIDTH, HEIGHT = 144, 96
"""Of the picture of a signal or a vector."""
TEXT_HEIGHT = 14
MOST_NUMBERS = 12
"""Features of a vector up to which their values are written on the bars."""
INK, BAR = "#1f2933", "#b9d4f5"
COLOURS = ("#2563b8", "#d9541e", "#2f8f4e", "#8f44ad", "#b8860b", "#1f8a8a")


def painter_of(shown: Sequence[Tensor]) -> Painter:
    """The painter of samples that are shown together, so that they have one scale."""
    together = torch.stack([*shown])
    if together.ndim == 4:
        return image
    if together.ndim == 3:
        low, high = together.min().item(), together.max().item()
        return lambda signal: curves(signal, low=low, high=high)
    lowest, highest = together.amin(0), together.amax(0)
    return lambda vector: bars(vector, lowest=lowest, highest=highest)


def image(pixels: Tensor, *, side: int = SMALL, most: int = LARGE) -> Image.Image:
    """An image (C, H, W): the first channel as grey, or the first three as colours.

    It is enlarged by a whole factor, up to `side`, or else reduced to `most`.
    """
    drawn = pixel_by_pixel(pixels)
    factor = max(1, side // max(drawn.size))
    drawn = drawn.resize((drawn.width * factor, drawn.height * factor), Image.Resampling.NEAREST)
    drawn.thumbnail((most, most), Image.Resampling.BOX)
    return drawn


def pixel_by_pixel(pixels: Tensor) -> Image.Image:
    """The same in its own size."""
    shown = pixels[:3] if len(pixels) >= 3 else pixels[:1]
    levels = shown.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0)
    return Image.fromarray(levels.squeeze(2).contiguous().numpy()).convert("RGB")


def curves(signal: Tensor, *, low: float, high: float) -> Image.Image:
    """A signal (C, L) as a curve for each channel, between these values."""
    canvas = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(canvas)
    pen.rectangle((0, 0, WIDTH - 1, HEIGHT - 1), outline="#d5dae0")
    for number, channel in enumerate(signal):
        draw_curve(pen, channel.tolist(), (0, 0, WIDTH - 1, HEIGHT - 1), low, high, number)
    return canvas


def draw_curve(
    pen: ImageDraw.ImageDraw,
    values: Sequence[float],
    box: tuple[int, int, int, int],
    low: float,
    high: float,
    number: int,
) -> None:
    """Draw evenly spaced values from left to right in a box, `low` at its bottom."""
    left, top, right, bottom = box
    across, spread = max(1, len(values) - 1), (high - low) or 1.0
    points = [
        (left + (right - left) * i / across, bottom - (bottom - top) * (value - low) / spread)
        for i, value in enumerate(values)
    ]
    colour = COLOURS[number % len(COLOURS)]
    pen.line([*points, (right, points[-1][1])] if len(points) == 1 else points, fill=colour)


def bars(vector: Tensor, *, lowest: Tensor, highest: Tensor) -> Image.Image:
    """A vector (F,) as bars from the lowest to the highest value of each feature."""
    count, has_numbers = len(vector), len(vector) <= MOST_NUMBERS
    height = count * TEXT_HEIGHT if has_numbers else HEIGHT * 2
    canvas = Image.new("RGB", (WIDTH, height), "white")
    pen = ImageDraw.Draw(canvas)
    shares = ((vector - lowest) / (highest - lowest)).nan_to_num(1.0)  # of a constant, 0 / 0
    for number, (value, share) in enumerate(zip(vector.tolist(), shares.tolist(), strict=True)):
        top, bottom = number * height // count, (number + 1) * height // count
        pen.rectangle((0, top, round(share * (WIDTH - 1)), max(top, bottom - 2)), fill=BAR)
        if has_numbers:
            pen.text((4, top), shortened(f"{value:.4g}", width=WIDTH - 8), fill=INK, font=FONT)
    return canvas
