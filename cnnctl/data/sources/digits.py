"""The handwritten digits that scikit-learn brings along."""

from __future__ import annotations

from pathlib import Path

import torch

from cnnctl.data.dataset import ImageSet, Split
from cnnctl.data.samples import Description, Samples
from cnnctl.data.splits import stratified_split

SAMPLES, TEST_SAMPLES = 1797, 360
LEVELS = 16
"""Pixels count from 0 to this."""


class Digits(ImageSet, kind="digits"):
    """Handwritten digits, embedded: 1,437 training and 360 test images, 8x8, grey.

    scikit-learn's copy of the test part of the UCI optical recognition of handwritten digits data
    set. It is published without a test split; ours is a fixed fifth of every class.
    """

    def original(self) -> Description:
        return Description((1, 8, 8), tuple("0123456789"), 10, SAMPLES - TEST_SAMPLES)

    def read_original(self, split: Split, *, root: Path, download: bool) -> Samples:
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        pixels = torch.from_numpy(images * 255 / LEVELS).round().to(torch.uint8)
        everything = Samples(pixels.view(-1, 1, 8, 8), torch.from_numpy(labels))
        train, test = stratified_split(labels, held_out=TEST_SAMPLES, seed=0)
        return everything.take(train if split == "train" else test)
