"""Progressive resizing: training on small images first, which grow to their full size."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Self

from pydantic import model_validator
from torch import Tensor
from torch.nn import functional

from cnnctl.config.bounds import PositiveFraction, PositiveInt, UnitInterval
from cnnctl.config.choice import Spec, refusal

Size = tuple[int, ...]
"""Height and width."""
SizeOf = Callable[[int], Size]
"""An epoch, counted from 0 -> the height and width of its images."""


class ProgressiveResizing(Spec):
    """Training on small images first, which grow to their full size (Howard 2018).

    The options are those of Composer. A whole epoch has one size, and the last one the full size;
    augmentation sees full images.
    """

    initial_scale: PositiveFraction = 0.5
    """Side of the images in the first epochs, as a fraction of the full side."""
    delay_fraction: UnitInterval = 0.5
    """Fraction of the epochs before images start to grow, linearly."""
    finetune_fraction: UnitInterval = 0.2
    """Fraction of the epochs at the end, at full size."""
    size_increment: PositiveInt = 4
    """Sides are rounded to multiples of this."""

    @model_validator(mode="after")
    def _fits_into_the_run(self) -> Self:
        if self.delay_fraction + self.finetune_fraction > 1:
            message = "delay_fraction and finetune_fraction add up to more than 1"
            raise refusal(message, hint="leave epochs in which images grow")
        return self

    def size(self, epoch: int, *, epochs: int, full: Size) -> Size:
        """The height and width of an epoch, counted from 0, for images of this full size."""
        scale = self._scale(epoch, epochs)
        return full if scale == 1 else tuple(self._rounded(scale * side, side) for side in full)

    def sizes(self, *, epochs: int, full: Size) -> list[Size]:
        """The size of every epoch."""
        return [self.size(epoch, epochs=epochs, full=full) for epoch in range(epochs)]

    def share(self, *, epochs: int, full: Size) -> float:
        """The pixels of all epochs, as a share of those at full size."""
        sizes = self.sizes(epochs=epochs, full=full)
        return sum(map(prod, sizes)) / (epochs * prod(full))

    def _scale(self, epoch: int, epochs: int) -> float:
        if epoch >= epochs - 1:
            return 1.0
        grown = epoch / epochs - self.delay_fraction
        span = 1 - self.finetune_fraction - self.delay_fraction
        if grown < 0:
            return self.initial_scale
        if grown >= span - 1e-9:  # of rounding
            return 1.0
        return self.initial_scale + (1 - self.initial_scale) * grown / span

    def _rounded(self, side: float, full: int) -> int:
        step = self.size_increment
        return min(full, max(step, step * int(side / step + 0.5)))


def resized(images: Tensor, size: Size) -> Tensor:
    """Resize by antialiased bilinear interpolation; (N, C, H, W) float in, (N, C, *size) out."""
    if tuple(images.shape[2:]) == tuple(size) or not len(images):
        return images
    return functional.interpolate(images, size, mode="bilinear", antialias=True)
