"""Boxes in images, and the augmentation that covers one."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Generator, Tensor

from cnnctl.config.bounds import UnitInterval
from cnnctl.data.augmentation import InputAugmentation, chosen, need_images, whole_numbers
from cnnctl.data.normalization import Levels
from cnnctl.data.samples import Shape
from cnnctl.errors import config_fault


def boxes(
    height: int, width: int, *, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor
) -> Tensor:
    """Where each sample's box is; edges (N,), the last ones outside -> (N, 1, H, W) bool."""
    rows, columns = (torch.arange(side, device=top.device) for side in (height, width))
    in_rows = (rows >= top[:, None]) & (rows < bottom[:, None])
    in_columns = (columns >= left[:, None]) & (columns < right[:, None])
    return (in_rows[:, :, None] & in_columns[:, None, :])[:, None]


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

    def augment(self, inputs: Tensor, *, levels: Levels, generator: Generator) -> Tensor:
        count, _, height, width = inputs.shape
        top, left = (
            whole_numbers(count, side, generator=generator) - self.size // 2
            for side in (height, width)
        )
        sides = chosen(count, p=self.p, generator=generator) * self.size
        covered = boxes(height, width, top=top, bottom=top + sides, left=left, right=left + sides)
        return inputs.masked_fill(covered, 0.0)
