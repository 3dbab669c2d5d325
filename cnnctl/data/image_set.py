"""The base of datasets of images, which can be resized when they are loaded."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from cnnctl.data.conformity import conformed
from cnnctl.data.dataset import DataSet, StoredSplit
from cnnctl.data.samples import DatasetInfo, Samples

Side = Annotated[int, Field(gt=0, le=4096)]
Size = Side | Annotated[tuple[Side, Side], Field(strict=False)]
"""A side in pixels, or height and width."""


class ImageSet(DataSet):
    """A dataset of images, (C, H, W) uint8."""

    size: Size | None = None
    """Resize images to this side, or [height, width], when loading; null keeps their size."""

    @abstractmethod
    def original(self) -> DatasetInfo:
        """The description of the published dataset; see `whole`."""

    @abstractmethod
    def read_original(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        """Read one split as it was published; see `load`."""

    def whole(self) -> DatasetInfo:
        original = self.original()
        return replace(original, shape=(original.shape[0], *self._size(original.shape[1:])))

    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        samples = self.read_original(split, root=root, download=download)
        if self.size is None:
            return samples
        samples = conformed(samples, self.original(), what=self._called(split))
        resize = partial(resized, size=self._size(tuple(samples.inputs.shape[2:])))
        inputs = samples.inputs
        changed = resize(inputs) if isinstance(inputs, Tensor) else inputs.changed(resize)
        return replace(samples, inputs=changed)

    def _size(self, native: tuple[int, ...]) -> tuple[int, ...]:
        if self.size is None:
            return native
        return (self.size, self.size) if isinstance(self.size, int) else self.size


def resized(images: Tensor, size: tuple[int, ...]) -> Tensor:
    """Resize by antialiased bilinear interpolation; (N, C, H, W) uint8 in and out."""
    if tuple(images.shape[2:]) == tuple(size):
        return images
    return functional.interpolate(images, size, mode="bilinear", antialias=True)
