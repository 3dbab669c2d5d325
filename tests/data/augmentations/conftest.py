"""Normalised images of random bytes, and an augmentation applied to them."""

from typing import Any

import torch
from torch import Generator, Tensor

from cnnctl.data.augmentations import Augmentation, Context, InputAugmentation
from cnnctl.data.normalization import Levels

MEAN = torch.tensor([0.3, 0.5, 0.4]).view(3, 1, 1)
STD = torch.tensor([0.2, 0.3, 0.25]).view(3, 1, 1)
LEVELS = Levels(black=-MEAN / STD, white=(1 - MEAN) / STD)
GREY_LEVELS = Levels(black=LEVELS.black[:1], white=LEVELS.white[:1])


def random_bytes(count: int = 6, *, channels: int = 3, height: int = 10, width: int = 8) -> Tensor:
    """Images (count, channels, height, width) uint8."""
    shape = (count, channels, height, width)
    generator = Generator().manual_seed(3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def levels_of(images: Tensor) -> Levels:
    """The levels that images of these channels are normalised to."""
    return LEVELS if images.shape[1] == 3 else GREY_LEVELS


def normalized(images: Tensor) -> Tensor:
    """Images of bytes, as a network takes them."""
    return levels_of(images).normalized(images / 255)


def augment(written: str | dict[str, Any], inputs: Tensor, *, seed: int = 0) -> Tensor:
    """Normalised images, changed by an augmentation that fits them."""
    augmentation = Augmentation.read(written)
    assert isinstance(augmentation, InputAugmentation)
    augmentation.check(tuple(inputs.shape[1:]))
    generator = Generator().manual_seed(seed)
    return augmentation.augment(
        inputs, Context(levels_of(inputs), generator, torch.arange(len(inputs)))
    )
