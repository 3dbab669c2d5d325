"""Mean and standard deviation: measured, given, applied, undone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import sqrt
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from cnnctl.config.choice import Spec
from cnnctl.errors import config_fault

WHITE = 255
"""The largest value of a byte; pixels are counted from 0 (black) to 1 (white)."""


class Normalize(Spec):
    """Given statistics: x becomes (x - mean) / std, for each channel or feature."""

    mean: list[Annotated[float, Field(allow_inf_nan=False)]]
    """Mean of each channel (pixels counted from 0 to 1) or feature."""
    std: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]]
    """Standard deviation of each."""

    def check(self, features: int) -> None:
        """Raise a FaultError unless there is one number for each channel or feature."""
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) != features:
                message = f"{len(numbers)} numbers, but {features} are needed"
                hint = "give one for each channel or feature, or write `auto` in place of both"
                raise config_fault(message, hint=hint, path=(name,))

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation as float32."""
        return torch.tensor(self.mean), torch.tensor(self.std)

    def apply(self, values: Tensor) -> Tensor:
        """Normalise features; (N, F) in and out."""
        mean, std = (part.to(values.device) for part in self.tensors())
        return (values - mean) / std

    def undo(self, values: Tensor) -> Tensor:
        """Features in their own units again; (N, F) in and out."""
        mean, std = (part.to(values.device) for part in self.tensors())
        return values * std + mean


def normalization_of(inputs: Tensor) -> Normalize:
    """The statistics of (N, C, H, W) uint8 images, (N, C, L) signals or (N, F) vectors.

    A std of 0 becomes 1.
    """
    if inputs.dtype == torch.uint8:
        moments: Iterable[tuple[float, float]] = map(_byte_moments, inputs.unbind(1))
    else:
        moments = _moments(inputs.movedim(1, -1).flatten(0, -2))
    mean, std = zip(*moments, strict=True)
    return Normalize(mean=list(mean), std=[each or 1.0 for each in std])


def _byte_moments(channel: Tensor) -> tuple[float, float]:
    """Mean and standard deviation, counted in whole numbers: exact with any number of threads."""
    counts = torch.bincount(channel.flatten(), minlength=WHITE + 1).tolist()
    count = sum(counts)
    first = sum(n * level for level, n in enumerate(counts))
    second = sum(n * level * level for level, n in enumerate(counts))
    variance = (second * count - first * first) / count**2
    return first / count / WHITE, sqrt(variance) / WHITE


def _moments(vectors: Tensor) -> Iterator[tuple[float, float]]:
    std, mean = torch.std_mean(vectors.double(), dim=0, correction=0)
    low, high = torch.aminmax(vectors, dim=0)
    std[low == high] = 0  # where rounding leaves a little
    return zip(mean.tolist(), std.tolist(), strict=True)
