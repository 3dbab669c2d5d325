"""Augmentations that move pixels: flips, shifts, rotation, affine maps."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import AfterValidator, Field
from torch import Generator, Tensor
from torch.nn import functional

from cnnctl.config.bounds import UnitInterval
from cnnctl.config.choice import refusal
from cnnctl.config.wording import exact
from cnnctl.data.augmentation import (
    InputAugmentation,
    along,
    chosen,
    need_images,
    uniform,
    whole_numbers,
)
from cnnctl.data.normalization import Levels
from cnnctl.data.samples import Shape
from cnnctl.errors import config_fault

Degrees = Annotated[float, Field(ge=0, le=180)]
Shear = Annotated[float, Field(ge=0, lt=90)]
Shares = Annotated[tuple[UnitInterval, UnitInterval], Field(strict=False)]
Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PaddingMode = Literal["zeros", "reflect"]


def _rising(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        low, high = sorted(bounds)
        raise refusal("the range ends below its start", hint=f"write [{exact(low)}, {exact(high)}]")
    return bounds


Range = Annotated[tuple[Factor, Factor], Field(strict=False), AfterValidator(_rising)]


def flipped(images: Tensor, *, where: Tensor, dim: int) -> Tensor:
    """Mirror the images that `where` (N,) names along a dimension; (N, C, H, W) in and out."""
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
    """Cut a window out of each image, at its own (N,) corner; (N, C, height, width) out."""
    every = images.unfold(2, height, 1).unfold(3, width, 1)
    return every[torch.arange(len(images), device=images.device), :, top, left]


def warped(
    images: Tensor,
    *,
    angle: Tensor,
    right: Tensor,
    down: Tensor,
    scale: Tensor,
    shear: Tensor,
    black: Tensor,
) -> Tensor:
    """Shear, scale, rotate and shift each image about its middle, by amounts (N,) of its own.

    Degrees clockwise, pixels, pixels, a factor, degrees along x, as in torchvision's `affine`, with
    bilinear interpolation; what comes in from outside is black. (N, C, H, W) in and out.
    """
    height, width = images.shape[2:]
    sin, cos, slope = angle.deg2rad().sin(), angle.deg2rad().cos(), shear.deg2rad().tan()
    # from where each pixel is taken: the inverse map, x and y counted in pixels from the middle
    xx, xy = (cos - sin * slope) / scale, (cos * slope + sin) / scale
    yx, yy = -sin / scale, cos / scale
    x0, y0 = -(xx * right + xy * down), -(yx * right + yy * down)
    rows = [xx, xy * height / width, x0 * 2 / width, yx * width / height, yy, y0 * 2 / height]
    theta = torch.stack(rows, dim=1).view(-1, 2, 3)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images - black, grid, align_corners=False) + black


class HorizontalFlip(InputAugmentation, kind="horizontal_flip", short="p"):
    """Flip horizontally."""

    mirrors = True

    p: UnitInterval = 0.5
    """Probability of a flip."""

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)

    def augment(self, inputs: Tensor, *, levels: Levels, generator: Generator) -> Tensor:
        return flipped(inputs, where=chosen(len(inputs), p=self.p, generator=generator), dim=3)


class VerticalFlip(InputAugmentation, kind="vertical_flip", short="p"):
    """Flip vertically."""

    mirrors = True

    p: UnitInterval = 0.5
    """Probability of a flip."""

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)

    def augment(self, inputs: Tensor, *, levels: Levels, generator: Generator) -> Tensor:
        return flipped(inputs, where=chosen(len(inputs), p=self.p, generator=generator), dim=2)


class Crop(InputAugmentation, kind="crop", short="padding"):
    """Random crop: pad, then crop to the original size at a random position."""

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

    def augment(self, inputs: Tensor, *, levels: Levels, generator: Generator) -> Tensor:
        count, _, height, width = inputs.shape
        top, left = (
            whole_numbers(count, 2 * self.padding + 1, generator=generator) for _ in range(2)
        )
        wide = padded(inputs, padding=self.padding, mode=self.padding_mode, black=levels.black)
        return windows(wide, top=top, left=left, height=height, width=width)


class Rotation(InputAugmentation, kind="rotation", short="degrees"):
    """Rotate about the centre; uncovered corners are black."""

    degrees: Degrees
    """Largest angle in either direction, in degrees."""

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)

    def augment(self, inputs: Tensor, *, levels: Levels, generator: Generator) -> Tensor:
        count = len(inputs)
        angle = uniform(count, -self.degrees, self.degrees, generator=generator)
        none, one = inputs.new_zeros(count), inputs.new_ones(count)
        return warped(
            inputs, angle=angle, right=none, down=none, scale=one, shear=none, black=levels.black
        )


class Affine(InputAugmentation, kind="affine", short="degrees"):
    """Rotate, shift, scale and shear; uncovered pixels are black."""

    degrees: Degrees
    """Largest angle of rotation in either direction, in degrees."""
    translate: Shares = (0.0, 0.0)
    """Largest shift, as fractions of width and height, in either direction."""
    scale: Range = (1.0, 1.0)
    """Smallest and largest scale factor."""
    shear: Shear = 0.0
    """Largest angle of shear along x, in degrees, in either direction."""

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)

    def augment(self, inputs: Tensor, *, levels: Levels, generator: Generator) -> Tensor:
        def drawn(low: float, high: float) -> Tensor:
            return uniform(len(inputs), low, high, generator=generator)

        height, width = inputs.shape[2:]
        right, down = self.translate[0] * width, self.translate[1] * height
        return warped(
            inputs,
            angle=drawn(-self.degrees, self.degrees),
            right=drawn(-right, right),
            down=drawn(-down, down),
            scale=drawn(*self.scale),
            shear=drawn(-self.shear, self.shear),
            black=levels.black,
        )
