"""Normalization by mean and standard deviation: compute, apply, undo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from math import sqrt
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from cnnctl.config.choice import Spec
from cnnctl.errors import config_fault

WHITE = 255
"""The largest value of a byte; pixels are scaled to 0 (black) to 1 (white)."""


class Normalize(Spec):
    """Given statistics: x becomes (x - mean) / std, per channel or feature."""

    mean: list[Annotated[float, Field(allow_inf_nan=False)]]
    """Mean of each channel (pixels from 0 to 1) or feature."""
    std: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]]
    """Standard deviation of each channel or feature."""

    def check(self, features: int) -> None:
        """Raise a FaultError unless there is one number for each channel or feature."""
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) != features:
                message = f"{len(numbers)} numbers, but {features} needed"
                hint = "give one per channel or feature, or use `normalize: auto`"
                raise config_fault(message, hint=hint, path=(name,))

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation as float32."""
        return torch.tensor(self.mean), torch.tensor(self.std)

    def apply(self, values: Tensor) -> Tensor:
        """Normalise features; (N, F) in and out."""
        mean, std = (part.to(values.device) for part in self.tensors())
        return (values - mean) / std

    def undo(self, values: Tensor) -> Tensor:
        """Reverse the normalisation of features; (N, F) in and out."""
        mean, std = (part.to(values.device) for part in self.tensors())
        return values * std + mean


@dataclass(frozen=True, slots=True)
class Levels:
    """What normalisation makes of a black and of a white pixel, (C, 1, 1) each."""

    black: Tensor
    white: Tensor

    def to(self, device: torch.device) -> Levels:
        """The same levels on a device."""
        return Levels(black=self.black.to(device), white=self.white.to(device))

    def undone(self, inputs: Tensor) -> Tensor:
        """Inputs as they were before normalisation, pixels from 0 to 1; (N, …) in and out."""
        return (inputs - self.black).div_(self.white - self.black)

    def pixels(self, images: Tensor) -> Tensor:
        """Normalised images as pixels from 0 to 1; values beyond are clipped; (N, C, H, W)."""
        return self.undone(images).clamp_(0, 1)

    def normalized(self, pixels: Tensor) -> Tensor:
        """Pixels from 0 to 1, normalised; (N, C, H, W) in and out."""
        return torch.addcmul(self.black, pixels, self.white - self.black)


def normalization_of(chunks: Iterable[Tensor]) -> Normalize:
    """The statistics of (N, C, H, W) uint8 images, (N, C, L) signals or (N, F) vectors.

    They are read in chunks, so that they need not fit in memory. A std of 0 becomes 1.
    """
    chunks = iter(chunks)
    first = next(chunks)
    measure = _byte_moments if first.dtype == torch.uint8 else _moments
    mean, std = measure(chain([first], chunks))
    return Normalize(mean=mean, std=[each or 1.0 for each in std])


def _byte_moments(chunks: Iterable[Tensor]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation, computed in integers: exact with any number of threads."""
    counted = sum(_counts(chunk) for chunk in chunks)
    assert isinstance(counted, Tensor)
    moments = [_moments_of_counts(counts) for counts in counted.tolist()]
    return [mean for mean, _ in moments], [std for _, std in moments]


def _counts(images: Tensor) -> Tensor:
    """Histogram of the levels of each channel, (C, 256)."""
    channels = images.cpu().numpy().swapaxes(0, 1)
    # NumPy's runs in one thread, and so does not wait for others on a busy machine
    counted = [np.bincount(each.reshape(-1), minlength=WHITE + 1) for each in channels]
    return torch.from_numpy(np.stack(counted))


def _moments_of_counts(counts: Sequence[int]) -> tuple[float, float]:
    count = sum(counts)
    first = sum(n * level for level, n in enumerate(counts))
    second = sum(n * level * level for level, n in enumerate(counts))
    variance = (second * count - first * first) / count**2
    return first / count / WHITE, sqrt(variance) / WHITE


def _moments(chunks: Iterable[Tensor]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation in float64, combined as in Chan et al. (1979)."""
    parts = (chunk.movedim(1, -1).flatten(0, -2) for chunk in chunks)
    count, mean, variance, low, high = _measured(next(parts))
    for part in parts:
        more, other, spread, lowest, highest = _measured(part)
        own, others = count / (count + more), more / (count + more)
        variance = own * variance + others * spread + own * others * (other - mean) ** 2
        mean = mean + others * (other - mean)
        low, high = torch.minimum(low, lowest), torch.maximum(high, highest)
        count += more
    std = variance.sqrt()
    std[low == high] = 0  # rounding can leave a small variance
    return mean.tolist(), std.tolist()


def _measured(vectors: Tensor) -> tuple[int, Tensor, Tensor, Tensor, Tensor]:
    """The count, and the mean, variance, minimum and maximum of each feature."""
    variance, mean = torch.var_mean(vectors.double(), dim=0, correction=0)
    return len(vectors), mean, variance, *torch.aminmax(vectors, dim=0)
