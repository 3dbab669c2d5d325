"""Augmentations that change colours: hue, saturation, jitter, grayscale.

They work on pixels from 0 (black) to 1 (white) and clip them, as torchvision does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import permutations
from typing import Annotated

import torch
from pydantic import Field
from torch import Generator, Tensor

from cnnctl.config.bounds import NonNegativeFloat, UnitInterval
from cnnctl.data.augmentation import (
    Context,
    InputAugmentation,
    along,
    change_rows,
    chosen,
    dealt,
    need_colours,
    need_grey_or_colours,
    piecewise,
    repeated,
    uniform,
)
from cnnctl.data.augmentations.values import factors, stretched
from cnnctl.data.normalization import Levels
from cnnctl.data.samples import Shape
from cnnctl.errors import below

HueShift = Annotated[float, Field(ge=0, le=0.5)]
Adjustment = Callable[[Tensor, Tensor], Tensor]
"""Changes the pixels of each image, (N, C, H, W), by its amount, (N,)."""


def grey(pixels: Tensor) -> Tensor:
    """The luma of ITU-R BT.601; (N, 1 or 3, H, W) -> (N, 1, H, W)."""
    if pixels.shape[1] == 1:
        return pixels
    red, green, blue = pixels.unbind(1)
    return (red * 0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114)[:, None]


def adjust_brightness(pixels: Tensor, factor: Tensor) -> Tensor:
    """Multiply the pixels of each image by its factor (N,)."""
    return (pixels * along(factor, pixels)).clamp_(0, 1)


def adjust_contrast(pixels: Tensor, factor: Tensor) -> Tensor:
    """Move the pixels of each image away from its mean grey by its factor (N,)."""
    mean = grey(pixels).mean(dim=(1, 2, 3), keepdim=True)
    return stretched(pixels, factor=factor, about=mean).clamp_(0, 1)


def adjust_saturation(pixels: Tensor, factor: Tensor) -> Tensor:
    """Move each pixel away from its grey by the factor (N,) of its image."""
    return stretched(pixels, factor=factor, about=grey(pixels)).clamp_(0, 1)


def adjust_hue(pixels: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue of each image, (N, 3, H, W), by its share (N,) of the colour circle.

    Value and saturation (HSV) stay. From HSV to RGB it is the formula of
    https://en.wikipedia.org/wiki/HSL_and_HSV#HSV_to_RGB_alternative
    """
    red, green, blue = pixels.unbind(1)
    low, high = torch.aminmax(pixels, dim=1)
    chroma = high - low
    divisor = chroma.masked_fill(chroma == 0, 1)
    of_green_or_blue = torch.where(
        high == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor
    )
    sextant = torch.where(high == red, (green - blue) / divisor, of_green_or_blue)
    sextant = sextant + 6 * along(shift, sextant)
    channel = torch.arange(5, 0, -2, device=pixels.device).view(3, 1, 1)
    k = (sextant[:, None] + channel).remainder_(6)
    share = torch.minimum(k, 4 - k).clamp_(0, 1)
    return torch.addcmul(high[:, None], chroma[:, None], share, value=-1).clamp_(0, 1)


def on_pixels(adjust: Adjustment, levels: Levels) -> Adjustment:
    """The same adjustment, of normalised images."""

    def change(images: Tensor, amounts: Tensor) -> Tensor:
        return levels.normalized(adjust(levels.pixels(images), amounts))

    return change


def in_random_order(
    images: Tensor,
    adjustments: Sequence[tuple[Adjustment, Tensor]],
    *,
    levels: Levels,
    generator: Generator,
) -> Tensor:
    """Change the pixels of each image by all adjustments, with its amounts (N,), in an order of
    its own. Images are normalised."""
    orders = list(permutations(range(len(adjustments))))
    count = len(images)
    rows = torch.arange(-(-count // len(orders)) * len(orders), device=images.device)
    hands = dealt(rows, len(orders), generator=generator)
    changed = repeated(images, len(rows), change=levels.pixels)
    for turn in range(len(adjustments)):
        for index, (adjust, amounts) in enumerate(adjustments):
            own = [h for h, order in zip(hands, orders, strict=True) if order[turn] == index]
            change_rows(adjust, changed, torch.cat(own), amounts[rows % count])
    return piecewise(levels.normalized, changed[:count])


class Saturation(InputAugmentation, kind="saturation", short="saturation"):
    """Scale saturation: blend each image with its grey version, or away from it."""

    saturation: NonNegativeFloat
    """Largest deviation of the factor from 1; the factor is never negative."""

    def check(self, shape: Shape) -> None:
        need_colours(shape, kind=self.kind)

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        factor = factors(len(inputs), deviation=self.saturation, generator=context.generator)
        return piecewise(on_pixels(adjust_saturation, context.levels), inputs, factor)


class Hue(InputAugmentation, kind="hue", short="hue"):
    """Shift the hue."""

    hue: HueShift
    """Largest shift in either direction, as a fraction of the colour circle."""

    def check(self, shape: Shape) -> None:
        need_colours(shape, kind=self.kind)

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        shift = uniform(len(inputs), -self.hue, self.hue, generator=context.generator)
        return piecewise(on_pixels(adjust_hue, context.levels), inputs, shift)


class ColorJitter(InputAugmentation, kind="color_jitter"):
    """Change brightness, contrast, saturation and hue, those that are given, in random order."""

    brightness: NonNegativeFloat = 0.0
    """Largest deviation of the factor of brightness from 1."""
    contrast: NonNegativeFloat = 0.0
    """Largest deviation of the factor of contrast from 1."""
    saturation: NonNegativeFloat = 0.0
    """Largest deviation of the factor of saturation from 1."""
    hue: HueShift = 0.0
    """Largest shift of the hue in either direction, as a fraction of the colour circle."""

    def check(self, shape: Shape) -> None:
        need_grey_or_colours(shape, kind=self.kind)
        for name in ("saturation", "hue"):
            if getattr(self, name):
                with below(name):
                    need_colours(shape, kind=name)

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        def drawn(deviation: float) -> Tensor:
            return factors(len(inputs), deviation=deviation, generator=context.generator)

        shift = uniform(len(inputs), -self.hue, self.hue, generator=context.generator)
        offered = [
            (self.brightness, adjust_brightness, drawn(self.brightness)),
            (self.contrast, adjust_contrast, drawn(self.contrast)),
            (self.saturation, adjust_saturation, drawn(self.saturation)),
            (self.hue, adjust_hue, shift),
        ]
        asked_for = [(adjust, amounts) for strength, adjust, amounts in offered if strength]
        if not asked_for:
            return inputs
        return in_random_order(
            inputs, asked_for, levels=context.levels, generator=context.generator
        )


class Grayscale(InputAugmentation, kind="grayscale", short="p"):
    """Replace colours by their grey, in all channels."""

    p: UnitInterval = 0.1
    """Probability that an image becomes grey."""

    def check(self, shape: Shape) -> None:
        need_colours(shape, kind=self.kind)

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        where = chosen(len(inputs), p=self.p, generator=context.generator)
        return piecewise(partial(self._greyed, levels=context.levels), inputs, where)

    def _greyed(self, inputs: Tensor, where: Tensor, *, levels: Levels) -> Tensor:
        changed = levels.normalized(grey(levels.pixels(inputs)).expand_as(inputs))
        return torch.where(along(where, inputs), changed, inputs)
