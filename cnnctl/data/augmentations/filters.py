"""Augmentations that mix each pixel with its neighbours: blur; and the filter for sharpness."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from cnnctl.config.bounds import PositiveRange, UnitInterval
from cnnctl.data.augmentation import (
    Context,
    InputAugmentation,
    along,
    chosen,
    need_images,
    piecewise,
    uniform,
)
from cnnctl.data.samples import Shape
from cnnctl.errors import config_fault


def gaussian_kernels(sigma: Tensor, *, size: int) -> Tensor:
    """Gaussian weights of these deviations (N,), in pixels, that sum to 1; (N, size)."""
    reach = (size - 1) / 2
    offsets = torch.linspace(-reach, reach, size, device=sigma.device)
    return (-(offsets / sigma[:, None]).square() / 2).softmax(dim=1)


def blurred(images: Tensor, kernels: Tensor) -> Tensor:
    """Filter each image along both sides with its kernel (N, odd size); (N, C, H, W) in and out.

    Borders are mirrored.
    """
    count, channels, height, width = images.shape
    reach = kernels.shape[1] // 2
    wide = functional.pad(images, [reach] * 4, mode="reflect")
    # every channel of every image is a group of one convolution
    planes = wide.reshape(1, count * channels, height + 2 * reach, width + 2 * reach)
    weights = kernels.repeat_interleave(channels, dim=0)[:, None]
    rows = functional.conv2d(planes, weights[:, :, None], groups=count * channels)
    both = functional.conv2d(rows, weights[..., None], groups=count * channels)
    return both.view(images.shape)


def adjust_sharpness(pixels: Tensor, factor: Tensor) -> Tensor:
    """Move pixels from 0 to 1 away from their smoothed version by the factor (N,) of their image.

    As in Pillow and torchvision, the filter counts the middle of 3x3 pixels five times, and pixels
    at a border stay. (N, C, H, W) in and out.
    """
    if min(pixels.shape[2:]) < 3:
        return pixels
    middle = pixels[:, :, 1:-1, 1:-1]
    columns = (
        pixels[:, :, :-2] + pixels[:, :, 1:-1] + pixels[:, :, 2:]
    )  # ten times avg_pool2d's pace
    smooth = columns[..., :-2] + columns[..., 1:-1] + columns[..., 2:]
    smooth.add_(middle, alpha=4).div_(13)
    changed = pixels.clone()
    changed[:, :, 1:-1, 1:-1] = torch.lerp(smooth, middle, along(factor, pixels))
    return changed.clamp_(0, 1)


class GaussianBlur(InputAugmentation, kind="gaussian_blur", short="kernel_size"):
    """Blur with a Gaussian filter."""

    kernel_size: Annotated[int, Field(gt=0, le=4096)]
    """Side of the filter, in pixels; odd."""
    sigma: PositiveRange = (0.1, 2.0)
    """Smallest and largest standard deviation of the filter, in pixels."""
    p: UnitInterval = 1.0
    """Probability that an image is blurred."""

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)
        largest = 2 * min(shape[1:]) - 1  # what mirrored borders suffice for
        if self.kernel_size > largest:
            message = f"a filter of {self.kernel_size} pixels is too large for images of "
            message += f"{shape[1]}x{shape[2]}"
            raise config_fault(message, hint=f"use <= {largest}", path=("kernel_size",))
        if self.kernel_size % 2 == 0:
            hint = f"use {self.kernel_size - 1} or {self.kernel_size + 1}"
            message = f"{self.kernel_size} is even, so the filter has no centre"
            raise config_fault(message, hint=hint, path=("kernel_size",))

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        where = chosen(len(inputs), p=self.p, generator=context.generator)
        sigma = uniform(len(inputs), *self.sigma, generator=context.generator)
        return piecewise(self._blurred, inputs, sigma, where)

    def _blurred(self, inputs: Tensor, sigma: Tensor, where: Tensor) -> Tensor:
        changed = blurred(inputs, gaussian_kernels(sigma, size=self.kernel_size))
        return torch.where(along(where, inputs), changed, inputs)
