"""Augmentations that change values where they are: brightness, contrast, noise."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from cnnctl.config.bounds import NonNegativeFloat
from cnnctl.data.augmentation import Context, InputAugmentation, along, need_images, uniform
from cnnctl.data.samples import Shape


def factors(samples: int, *, deviation: float, generator: Generator) -> Tensor:
    """A factor for each sample, at most this far from 1 and never negative; (N,)."""
    return uniform(samples, max(0.0, 1 - deviation), 1 + deviation, generator=generator)


def stretched(images: Tensor, *, factor: Tensor, about: Tensor) -> Tensor:
    """Scale the distance of each image's values from `about` by its factor (N,)."""
    return torch.lerp(about, images, along(factor, images))


class Brightness(InputAugmentation, kind="brightness", short="brightness"):
    """Scale brightness: multiply pixels by a factor. Values are not clipped at white."""

    brightness: NonNegativeFloat
    """Largest deviation of the factor from 1; the factor is never negative."""

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        factor = factors(len(inputs), deviation=self.brightness, generator=context.generator)
        return stretched(inputs, factor=factor, about=context.levels.black)


class Contrast(InputAugmentation, kind="contrast", short="contrast"):
    """Scale contrast: stretch each channel about its mean. Values are not clipped at white."""

    contrast: NonNegativeFloat
    """Largest deviation of the factor from 1; the factor is never negative."""

    def check(self, shape: Shape) -> None:
        need_images(shape, kind=self.kind)

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        factor = factors(len(inputs), deviation=self.contrast, generator=context.generator)
        return stretched(inputs, factor=factor, about=inputs.mean(dim=(2, 3), keepdim=True))


class Noise(InputAugmentation, kind="noise", short="std"):
    """Add Gaussian noise to every pixel or feature."""

    std: NonNegativeFloat
    """Standard deviation, relative to that of the normalised data, which is 1."""

    def check(self, shape: Shape) -> None:
        """Noise fits every shape."""

    def augment(self, inputs: Tensor, context: Context) -> Tensor:
        # empty_like would copy the memory format of the inputs, which changes the order of draws
        noise = torch.empty(inputs.shape, dtype=inputs.dtype, device=inputs.device)
        return inputs + noise.normal_(std=self.std, generator=context.generator)
