"""The operations that RandAugment, TrivialAugment and AugMix draw from.

Each takes pixels from 0 to 1, (N, 1 or 3, H, W), and an amount for each image, (N,). They are
those of Cubuk et al., arXiv 1805.09501, in the form that torchvision gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Generator, Tensor
from torch.nn import functional

from cnnctl.data.augmentation import along, change_rows, chosen, dealt
from cnnctl.data.augmentations.colors import (
    Adjustment,
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
)
from cnnctl.data.augmentations.filters import adjust_sharpness
from cnnctl.data.augmentations.warps import affine_grid
from cnnctl.data.normalization import WHITE

Interpolation = Literal["nearest", "bilinear"]
ENHANCING: dict[str, Adjustment] = {
    "brightness": adjust_brightness,
    "color": adjust_saturation,
    "contrast": adjust_contrast,
    "sharpness": adjust_sharpness,
}
"""Operations that take a factor, by which they change nothing if it is 1."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A change of pixels, and its amounts at the lowest and at the highest level."""

    change: Adjustment
    lowest: float = 0.0
    highest: float = 0.0
    is_signed: bool = False
    """Whether half of the amounts are negative."""

    def amounts(self, levels: Tensor, *, bins: int, negative: Tensor) -> Tensor:
        """The amounts at levels (N,) from 0 to bins - 1, with the sign that was drawn; (N,)."""
        amounts = self.lowest + (self.highest - self.lowest) * levels / (bins - 1)
        return torch.where(negative, -amounts, amounts) if self.is_signed else amounts


def operations(
    *,
    shear: float,
    translate: tuple[float, float],
    rotate: float,
    enhance: float,
    bits: tuple[int, int],
    interpolation: Interpolation,
) -> dict[str, Operation]:
    """All operations by name, with their highest amounts.

    These are a slope, pixels right and down, degrees, the deviation of a factor from 1, and the
    bits of a pixel that are kept at the lowest and at the highest level.
    """

    def moving(change: Adjustment, highest: float) -> Operation:
        return Operation(change, highest=highest, is_signed=True)

    def enhancing(adjust: Adjustment) -> Operation:
        return Operation(partial(_enhanced, adjust=adjust), highest=enhance, is_signed=True)

    enhanced = {name: enhancing(adjust) for name, adjust in ENHANCING.items()}
    return {
        "identity": Operation(identity),
        "shear_x": moving(partial(shear_x, interpolation=interpolation), shear),
        "shear_y": moving(partial(shear_y, interpolation=interpolation), shear),
        "translate_x": moving(partial(translate_x, interpolation=interpolation), translate[0]),
        "translate_y": moving(partial(translate_y, interpolation=interpolation), translate[1]),
        "rotate": moving(partial(rotated, interpolation=interpolation), rotate),
        **enhanced,
        "posterize": Operation(posterize, lowest=bits[0], highest=bits[1]),
        "solarize": Operation(solarize, lowest=1.0),
        "auto_contrast": Operation(auto_contrast),
        "equalize": Operation(equalize),
    }


def change_by_one(
    images: Tensor,
    rows: Tensor,
    operations: Sequence[Operation],
    *,
    levels: Tensor,
    bins: int,
    generator: Generator,
) -> None:
    """Change the pixels of images at these rows in place, each by one operation drawn for it.

    Levels are those of every image, (N,), from 0 to bins - 1. Every operation gets an equal part of
    the rows, so that it runs once, on images of its own. The last ones of all images must be spare,
    one fewer than operations: the parts are filled up with them.
    """
    missing = -len(rows) % len(operations)
    spare = torch.arange(len(images) - missing, len(images), device=images.device)
    negative = chosen(len(images), p=0.5, generator=generator)
    hands = dealt(torch.cat([rows, spare]), len(operations), generator=generator)
    for own, operation in zip(hands, operations, strict=True):
        amounts = operation.amounts(levels, bins=bins, negative=negative)
        change_rows(operation.change, images, own, amounts)


def identity(pixels: Tensor, amount: Tensor) -> Tensor:
    """The pixels as they are."""
    return pixels


def shear_x(pixels: Tensor, amount: Tensor, *, interpolation: Interpolation) -> Tensor:
    """Move rows to the left by this times their distance from the top."""
    return _moved(pixels, amount, interpolation=interpolation, xy=1, x0=pixels.shape[2] / 2)


def shear_y(pixels: Tensor, amount: Tensor, *, interpolation: Interpolation) -> Tensor:
    """Move columns up by this times their distance from the left."""
    return _moved(pixels, amount, interpolation=interpolation, yx=1, y0=pixels.shape[3] / 2)


def translate_x(pixels: Tensor, amount: Tensor, *, interpolation: Interpolation) -> Tensor:
    """Move images to the right by whole pixels."""
    return _moved(pixels, amount.trunc(), interpolation=interpolation, x0=-1)


def translate_y(pixels: Tensor, amount: Tensor, *, interpolation: Interpolation) -> Tensor:
    """Move images down by whole pixels."""
    return _moved(pixels, amount.trunc(), interpolation=interpolation, y0=-1)


def _moved(
    pixels: Tensor,
    amount: Tensor,
    *,
    interpolation: Interpolation,
    xy: float = 0,
    x0: float = 0,
    yx: float = 0,
    y0: float = 0,
) -> Tensor:
    """Take pixels from where these coefficients, times each image's amount, say; `affine_grid`."""
    one = torch.ones_like(amount)
    grid = affine_grid(
        pixels, xx=one, xy=xy * amount, x0=x0 * amount, yx=yx * amount, yy=one, y0=y0 * amount
    )
    return functional.grid_sample(pixels, grid, mode=interpolation, align_corners=False)


def rotated(pixels: Tensor, amount: Tensor, *, interpolation: Interpolation) -> Tensor:
    """Turn images counter-clockwise by these degrees."""
    none = torch.zeros_like(amount)
    sin, cos = amount.deg2rad().sin(), amount.deg2rad().cos()
    grid = affine_grid(pixels, xx=cos, xy=-sin, x0=none, yx=sin, yy=cos, y0=none)
    return functional.grid_sample(pixels, grid, mode=interpolation, align_corners=False)


def _enhanced(pixels: Tensor, amount: Tensor, *, adjust: Adjustment) -> Tensor:
    return adjust(pixels, 1 + amount)


def posterize(pixels: Tensor, bits: Tensor) -> Tensor:
    """Keep the highest bits of each pixel, which counts as a byte."""
    dropped = along(8 - bits.round().long(), pixels)
    return ((_bytes(pixels) >> dropped) << dropped) / WHITE


def solarize(pixels: Tensor, threshold: Tensor) -> Tensor:
    """Invert the pixels that are not below the threshold."""
    rounding = 1e-4  # of normalisation, which must not decide about a pixel at the threshold
    return torch.where(pixels >= along(threshold - rounding, pixels), 1 - pixels, pixels)


def auto_contrast(pixels: Tensor, amount: Tensor) -> Tensor:
    """Stretch each channel from black to white."""
    low, high = (each(pixels, dim=(2, 3), keepdim=True) for each in (torch.amin, torch.amax))
    span = high - low
    is_flat = span < 0.5 / WHITE  # no more than rounding
    return (pixels - low.masked_fill(is_flat, 0)).div_(span.masked_fill(is_flat, 1))


def equalize(pixels: Tensor, amount: Tensor) -> Tensor:
    """Equalize the histogram of each channel, over 256 levels; see Pillow's ImageOps."""
    values = _bytes(pixels).flatten(2)
    histogram = _histograms(values)
    brightest = histogram.gather(2, values.amax(dim=2, keepdim=True))
    step = (values.shape[2] - brightest) // WHITE
    darker = histogram.cumsum(dim=2) - histogram
    table = ((darker + step // 2) // step.clamp(min=1)).clamp(max=WHITE)
    same = torch.arange(WHITE + 1, device=pixels.device)
    table = torch.where(step > 0, table, same).float().div_(WHITE)
    return table.gather(2, values).view_as(pixels)


def _bytes(pixels: Tensor) -> Tensor:
    return (pixels * WHITE).round_().long()


def _histograms(values: Tensor) -> Tensor:
    """How often each channel has every level; (N, C, pixels) int64 -> (N, C, 256) int64."""
    count, channels = values.shape[:2]
    bins = WHITE + 1
    starts = torch.arange(count * channels, device=values.device).view(count, channels, 1) * bins
    levels = (values + starts).flatten()  # with more dimensions, torch warns of a random order
    total = values.new_zeros(count * channels * bins)
    return total.scatter_add_(0, levels, values.new_ones(()).expand_as(levels)).view(
        count, channels, bins
    )
