"""Random samples of any shape, to try a network without data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

import torch
from pydantic import Field

from cnnctl.data.dataset import DataSet, StoredSplit
from cnnctl.data.samples import DatasetInfo, Samples

Dimension = Annotated[int, Field(gt=0, le=10**6)]
TEST_SHARE = 5
"""Ratio of training samples to test samples."""


class Fake(DataSet, kind="fake"):
    """Random images, signals or vectors, as torchvision's FakeData has them."""

    has_files: ClassVar[bool] = False
    is_invented: ClassVar[bool] = True

    shape: Annotated[list[Dimension], Field(min_length=1, max_length=3)] = [3, 224, 224]
    """Shape of a sample: [C, H, W] for images, [C, L] for signals, [F] for vectors."""
    classes: Annotated[int, Field(ge=2, le=10**6)] = 10
    """Number of classes."""
    multilabel: bool = False
    """Give each sample any number of the classes, as labels; otherwise it has one."""
    samples: Annotated[int, Field(gt=1, le=10**7)] = 1000
    """Training samples; the test split has a fifth as many."""

    def whole(self) -> DatasetInfo:
        names = tuple(map(str, range(self.classes)))
        return DatasetInfo(
            tuple(self.shape),
            names,
            self.classes,
            self.samples,
            is_multilabel=self.multilabel,
        )

    def read_split(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        is_test = split == "test"
        count = max(1, self.samples // TEST_SHARE) if is_test else self.samples
        generator = torch.Generator().manual_seed(int(is_test))
        shape = (count, *self.shape)
        if len(self.shape) == 3:
            inputs = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
        else:
            inputs = torch.randn(shape, generator=generator)
        if self.multilabel:
            return Samples(inputs, torch.rand(count, self.classes, generator=generator) < 0.5)
        # classes take turns, so that a split can hold out samples of each
        return Samples(inputs, torch.arange(count) % self.classes)
