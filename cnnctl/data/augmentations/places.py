"""Augmentations that move pixels: flips and shifts."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from cnnctl.config.bounds import UnitInterval
from cnnctl.data.augmentation import (
    Context,
    InputAugmentation,
    along,
    chosen,
    integers,
    need_images,
)
from cnnctl.data.samples import Shape
from cnnctl.errors import config_fault

PaddingMode = Literal["zeros", "reflect"]


def flipped(images: Tensor, *, where: Tensor, dim: int) -> Tensor:
    """Mirror the images in `where` (N,) along a dimension; (N, C, H, W) in and out."""
    return torch.where(along(where, images), images.flip(dim), images)


def padded(images: Tensor, *, padding: int, mode: PaddingMode, black: Tensor) -> Tensor:
    """Add pixels at each border; (N, C, H, W) -> (N, C, H + 2 padding, W + 2 padding)."""
    if mode == "reflect":
        return functional.pad(images, [padding] * 4, mode="reflect")
    count, channels, height, width = images.shape
    wide = black.expand(count, channels, height + 2 * padding, width + 2 * padding).clone()
    wide[:, :, padding : padding + height, padding : padding + width] = images
    return wide


def windows(images: Tensor, *, top: Tensor, left: Tensor, height: int, width: int) -> Tensor:
    """Crop a window from each image, at its own (N,) corner; (N, C, height, width) out."""
    every = images.unfold(2, height, 1).unfold(3, width, 1)
    return every[torch.arange(len(images), device=images.device), :, top, left]


class Flip(InputAugmentation):
    """Mirrors images along one dimension."""

    mirrors = True
    dim: ClassVar[int]

    p: UnitInterval = 0.5
    """Probability of a flip."""
    alternating: bool = False
    """Draw once for each image, in the first epoch, then flip it in every other epoch: two epochs
    show each image both ways (Jordan 2024)."""

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        return flipped(inputs, where=self._where(context), dim=self.dim)

    def _where(self, context: Context) -> Tensor:
        """The images to flip; (N,) bool."""
        if not self.alternating:
            return chosen(len(context.rows), p=self.p, generator=context.generator)
        first = context.drawn_once(salt=self.dim) < self.p
        return first if context.epoch % 2 == 0 else ~first


class HorizontalFlip(Flip, kind="horizontal_flip", short="p"):
    """Flip horizontally."""

    dim = 3


class VerticalFlip(Flip, kind="vertical_flip", short="p"):
    """Flip vertically."""

    dim = 2


class Crop(InputAugmentation, kind="crop", short="padding"):
    """Random shift: pad, then crop to the original size at a random position."""

    padding: Annotated[int, Field(ge=0, le=4096)] = 4
    """Pixels added at each border; the largest shift."""
    padding_mode: PaddingMode = "zeros"
    """Padding mode: `zeros` is black, `reflect` mirrors the image."""

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)
        if self.padding_mode == "reflect" and self.padding >= min(shape[1:]):
            message = f"reflect cannot pad {shape[1]}x{shape[2]} images by {self.padding} pixels"
            hint = f"use padding <= {min(shape[1:]) - 1}, or padding_mode: zeros"
            raise config_fault(message, hint=hint, path=("padding",))

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        count, _, height, width = inputs.shape
        top, left = (
            integers(count, 2 * self.padding + 1, generator=context.generator) for _ in range(2)
        )
        wide = padded(
            inputs, padding=self.padding, mode=self.padding_mode, black=context.levels.black
        )
        return windows(wide, top=top, left=left, height=height, width=width)
