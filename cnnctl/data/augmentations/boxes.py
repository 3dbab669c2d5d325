"""Boxes in images, and the augmentation that covers them."""

from __future__ import annotations

from math import log
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor

from cnnctl.config.bounds import FractionRange, PositiveRange, UnitInterval
from cnnctl.data.augmentation import (
    Context,
    InputAugmentation,
    along,
    chosen,
    integers,
    need_images,
    uniform,
    up_to,
)
from cnnctl.data.samples import Shape
from cnnctl.errors import config_fault

TRIES = 10
"""How often sides are drawn that do not fit."""


def boxes(
    height: int, width: int, *, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor
) -> Tensor:
    """Masks of one box per sample; edges (N,), the end exclusive -> (N, 1, H, W) bool."""
    rows, columns = (torch.arange(side, device=top.device) for side in (height, width))
    in_rows = (rows >= top[:, None]) & (rows < bottom[:, None])
    in_columns = (columns >= left[:, None]) & (columns < right[:, None])
    return (in_rows[:, :, None] & in_columns[:, None, :])[:, None]


def random_sides(
    count: int,
    *,
    area: tuple[float, float],
    ratio: tuple[float, float],
    limits: tuple[int, int],
    generator: Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Two sides for each of `count` boxes, and whether they keep to their limits; (N,) each.

    Areas, in pixels, are uniform; ratios, of the first side to the second, are so on a scale of
    logarithms. Sides beyond their limits are drawn again, `TRIES` times in all, as in torchvision.
    """
    tries = TRIES * count
    areas = uniform(tries, *area, generator=generator)
    ratios = uniform(tries, log(ratio[0]), log(ratio[1]), generator=generator).exp()
    sides = torch.stack([areas * ratios, areas / ratios]).sqrt().round().view(2, TRIES, count)
    one, other = sides
    fits = (one >= 1) & (one <= limits[0]) & (other >= 1) & (other <= limits[1])
    first = fits.int().argmax(dim=0)[None]
    return one.gather(0, first)[0], other.gather(0, first)[0], fits.any(dim=0)


class Cutout(InputAugmentation, kind="cutout", short="size"):
    """Cover a random square with the mean colour; it may extend beyond the image.

    DeVries and Taylor, arXiv 1708.04552: zero after normalisation.
    """

    size: Annotated[int, Field(gt=0, le=4096)]
    """Side of the square, in pixels."""
    p: UnitInterval = 1.0
    """Probability that an image is covered."""

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)
        if self.size > min(shape[1:]):
            message = f"a square of {self.size} pixels does not fit images of {shape[1]}x{shape[2]}"
            hint = f"use size <= {min(shape[1:])}"
            raise config_fault(message, hint=hint, path=("size",))

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        count, _, height, width = inputs.shape
        top, left = (
            integers(count, side, generator=context.generator) - self.size // 2
            for side in (height, width)
        )
        sides = chosen(count, p=self.p, generator=context.generator) * self.size
        covered = boxes(height, width, top=top, bottom=top + sides, left=left, right=left + sides)
        return inputs.masked_fill(covered, 0.0)


class RandomErasing(InputAugmentation, kind="random_erasing", short="p"):
    """Erase a box of random area and aspect ratio; Zhong et al., arXiv 1708.04896."""

    p: UnitInterval = 0.5
    """Probability that a box is erased."""
    scale: FractionRange = (0.02, 0.33)
    """Smallest and largest area, as fractions of the image's."""
    ratio: PositiveRange = (0.3, 3.3)
    """Smallest and largest aspect ratio, height to width."""
    value: Annotated[float, Field(allow_inf_nan=False)] | Literal["random"] = 0.0
    """Value after normalisation, 0 for the mean colour; `random` draws every value from a normal
    distribution."""

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        count, _, height, width = inputs.shape
        where = chosen(count, p=self.p, generator=context.generator)
        tall, wide, fits = random_sides(
            count,
            area=(self.scale[0] * height * width, self.scale[1] * height * width),
            ratio=self.ratio,
            limits=(height - 1, width - 1),
            generator=context.generator,
        )
        top, left = (
            up_to(spare, generator=context.generator) for spare in (height - tall, width - wide)
        )
        found = boxes(height, width, top=top, bottom=top + tall, left=left, right=left + wide)
        erased = found & along(where & fits, inputs)
        if self.value != "random":
            return inputs.masked_fill(erased, self.value)
        noise = torch.empty(inputs.shape, dtype=inputs.dtype, device=inputs.device)
        return torch.where(erased, noise.normal_(generator=context.generator), inputs)
