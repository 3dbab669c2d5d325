"""Augmentations that take every pixel from elsewhere in its image: rotation, affine and perspective
maps, crops resized to the whole image."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Generator, Tensor
from torch.nn import functional

from cnnctl.config.bounds import FractionRange, PositiveRange, UnitInterval
from cnnctl.data.augmentation import (
    Context,
    InputAugmentation,
    along,
    chosen,
    integers,
    need_images,
    piecewise,
    uniform,
    up_to,
)
from cnnctl.data.augmentations.boxes import random_sides
from cnnctl.data.samples import Shape

Degrees = Annotated[float, Field(ge=0, le=180)]
Shear = Annotated[float, Field(ge=0, lt=90)]
Shares = Annotated[tuple[UnitInterval, UnitInterval], Field(strict=False)]


def sampled(images: Tensor, grid: Tensor, *, black: Tensor) -> Tensor:
    """The values of images (N, C, H, W) at the points of their grids (N, H, W, 2), which are those
    of `grid_sample`; outside of an image it is black."""
    return functional.grid_sample(images - black, grid, align_corners=False) + black


def affine_grid(
    images: Tensor, *, xx: Tensor, xy: Tensor, x0: Tensor, yx: Tensor, yy: Tensor, y0: Tensor
) -> Tensor:
    """From where each pixel is taken, (N, H, W, 2) for `sampled`.

    Counted in pixels from the middle, the pixel at (x, y) is taken from
    (xx x + xy y + x0, yx x + yy y + y0), with coefficients (N,).
    """
    height, width = images.shape[2:]
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    y = (torch.arange(height, device=images.device) - (height - 1) / 2)[:, None]
    # not by functional.affine_grid: a product of matrices takes five times as long, and in tf32
    # misses pixels of large images
    xx, xy, x0, yx, yy, y0 = (each[:, None, None] for each in (xx, xy, x0, yx, yy, y0))
    from_x, from_y = xx * x + (xy * y + x0), yx * x + (yy * y + y0)
    return _grid(from_x * (2 / width), from_y * (2 / height))


def _grid(x: Tensor, y: Tensor) -> Tensor:
    """Points for `grid_sample`, (N, H, W) twice -> (N, H, W, 2); pairs in memory take longer."""
    return torch.stack([x, y], dim=1).permute(0, 2, 3, 1)


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
    sin, cos, slope = angle.deg2rad().sin(), angle.deg2rad().cos(), shear.deg2rad().tan()
    xx, xy = (cos - sin * slope) / scale, (cos * slope + sin) / scale
    yx, yy = -sin / scale, cos / scale
    x0, y0 = -(xx * right + xy * down), -(yx * right + yy * down)
    grid = affine_grid(images, xx=xx, xy=xy, x0=x0, yx=yx, yy=yy, y0=y0)
    return sampled(images, grid, black=black)


def random_corners(
    count: int, *, height: int, width: int, distortion_scale: float, generator: Generator
) -> Tensor:
    """The corners of images, each moved inwards by whole pixels; see `perspective_grid`."""

    def inwards(side: int) -> Tensor:
        most = int(distortion_scale * (side // 2))
        return integers(4 * count, most + 1, generator=generator).view(4, count)

    x, y = inwards(width), inwards(height)
    right, bottom = width - 1, height - 1
    corners = [x[0], y[0], right - x[1], y[1], right - x[2], bottom - y[2], x[3], bottom - y[3]]
    return torch.stack(corners, dim=1).view(count, 4, 2)


def perspective_grid(corners: Tensor, *, height: int, width: int) -> Tensor:
    """From where each pixel is taken if the corners of its image move to these; see `sampled`.

    Corners are (N, 4, 2), x and y in pixels, clockwise from the top left.
    """
    device = corners.device
    x = torch.arange(width, device=device) + 0.5
    y = (torch.arange(height, device=device) + 0.5)[:, None]
    to_square = _adjugate(_from_square(corners.double())).float()[..., None, None]
    across, down, depth = (row[:, 0] * x + row[:, 1] * y + row[:, 2] for row in to_square.unbind(1))
    right, bottom = 2 * (width - 1) / width, 2 * (height - 1) / height
    grid = _grid(right * across / depth - 1, bottom * down / depth - 1)
    return grid.nan_to_num_(nan=-2, posinf=2, neginf=-2)  # at a vanishing line: outside


def _from_square(corners: Tensor) -> Tensor:
    """The homographies (N, 3, 3) of the unit square to these corners (N, 4, 2), up to a factor.

    Heckbert, Fundamentals of Texture Mapping and Image Warping (1989), section 2.2.3.
    """
    first, second, third, fourth = corners.unbind(1)
    total, one, other = first - second + third - fourth, second - third, fourth - third
    scale, g, h = _cross(one, other), _cross(total, other), _cross(one, total)
    columns = [
        torch.cat([(second - first) * scale + second * g, g], dim=1),
        torch.cat([(fourth - first) * scale + fourth * h, h], dim=1),
        torch.cat([first * scale, scale], dim=1),
    ]
    return torch.stack(columns, dim=2)


def _cross(one: Tensor, other: Tensor) -> Tensor:
    """The cross products of vectors in the plane; (N, 2) twice -> (N, 1)."""
    return one[:, :1] * other[:, 1:] - one[:, 1:] * other[:, :1]


def _adjugate(matrices: Tensor) -> Tensor:
    """The inverses of matrices (N, 3, 3), times their determinants."""
    first, second, third = matrices.unbind(2)
    pairs = ((second, third), (third, first), (first, second))
    return torch.stack([torch.linalg.cross(*pair) for pair in pairs], dim=1)


def cropped(images: Tensor, top: Tensor, left: Tensor, tall: Tensor, wide: Tensor) -> Tensor:
    """Resize a box of each image to the whole image; corners and sides (N,), in pixels.

    Interpolation is bilinear, and no pixel beside a box has a share in those at its border.
    """
    height, width = images.shape[2:]
    x, y = (
        _resized_side(start, length, side=side)
        for start, length, side in ((left, wide, width), (top, tall, height))
    )
    grid = _grid(x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width))
    # no point is outside, but for rounding
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _resized_side(start: Tensor, length: Tensor, *, side: int) -> Tensor:
    """The points between -1 and 1 of a side that stretches this part (N,) of it; (N, side)."""
    start, length = start[:, None], length[:, None]
    places = (torch.arange(side, device=start.device) + 0.5) * length / side
    kept = torch.minimum(places.clamp(min=0.5), length - 0.5)
    return (start + kept) * 2 / side - 1


class Rotation(InputAugmentation, kind="rotation", short="degrees"):
    """Rotate about the centre; uncovered corners are black."""

    degrees: Degrees
    """Largest angle in either direction, in degrees."""

    @property
    def turns(self) -> float:
        return self.degrees

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        count, black = len(inputs), context.levels.black
        angle = uniform(count, -self.degrees, self.degrees, generator=context.generator)
        none, one = inputs.new_zeros(count), inputs.new_ones(count)
        return warped(
            inputs, angle=angle, right=none, down=none, scale=one, shear=none, black=black
        )


class Affine(InputAugmentation, kind="affine", short="degrees"):
    """Rotate, shift, scale and shear; uncovered pixels are black."""

    degrees: Degrees
    """Largest angle of rotation in either direction, in degrees."""
    translate: Shares = (0.0, 0.0)
    """Largest shift, as fractions of width and height, in either direction."""
    scale: PositiveRange = (1.0, 1.0)
    """Smallest and largest scale factor."""
    shear: Shear = 0.0
    """Largest angle of shear along x, in degrees, in either direction."""

    @property
    def turns(self) -> float:
        return self.degrees

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        def drawn(low: float, high: float) -> Tensor:
            return uniform(len(inputs), low, high, generator=context.generator)

        height, width = inputs.shape[2:]
        right, down = self.translate[0] * width, self.translate[1] * height
        return warped(
            inputs,
            angle=drawn(-self.degrees, self.degrees),
            right=drawn(-right, right),
            down=drawn(-down, down),
            scale=drawn(*self.scale),
            shear=drawn(-self.shear, self.shear),
            black=context.levels.black,
        )


class Perspective(InputAugmentation, kind="perspective", short="distortion_scale"):
    """View from another point: move each corner inwards; uncovered pixels are black."""

    distortion_scale: UnitInterval = 0.5
    """Largest shift of a corner, as a fraction of the way to the centre."""
    p: UnitInterval = 0.5
    """Probability that an image is changed."""

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        count, _, height, width = inputs.shape
        where = chosen(count, p=self.p, generator=context.generator)
        corners = random_corners(
            count,
            height=height,
            width=width,
            distortion_scale=self.distortion_scale,
            generator=context.generator,
        )
        return piecewise(partial(self._moved, black=context.levels.black), inputs, corners, where)

    def _moved(self, inputs: Tensor, corners: Tensor, where: Tensor, *, black: Tensor) -> Tensor:
        grid = perspective_grid(corners, height=inputs.shape[2], width=inputs.shape[3])
        return torch.where(along(where, inputs), sampled(inputs, grid, black=black), inputs)


class RandomResizedCrop(InputAugmentation, kind="random_resized_crop", short="scale"):
    """Crop a box of random area and aspect ratio, and resize it to the whole image.

    Szegedy et al., arXiv 1409.4842, as in torchvision: a box that does not fit is drawn again, ten
    times at most; then the largest one in the middle is taken.
    """

    scale: FractionRange = (0.08, 1.0)
    """Smallest and largest area, as fractions of the image's."""
    ratio: PositiveRange = (3 / 4, 4 / 3)
    """Smallest and largest aspect ratio, width to height."""

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        count, _, height, width = inputs.shape
        wide, tall, fits = random_sides(
            count,
            area=(self.scale[0] * height * width, self.scale[1] * height * width),
            ratio=self.ratio,
            limits=(width, height),
            generator=context.generator,
        )
        left, top = (
            up_to(spare, generator=context.generator) for spare in (width - wide, height - tall)
        )
        widest, tallest = self._largest(height, width)
        return piecewise(
            cropped,
            inputs,
            top.masked_fill(~fits, (height - tallest) // 2),
            left.masked_fill(~fits, (width - widest) // 2),
            tall.masked_fill(~fits, tallest),
            wide.masked_fill(~fits, widest),
        )

    def _largest(self, height: int, width: int) -> tuple[int, int]:
        """Width and height of the largest box in the range of ratios."""
        low, high = self.ratio
        if width < low * height:
            return width, max(1, round(width / low))
        if width > high * height:
            return max(1, round(height * high)), height
        return width, height
