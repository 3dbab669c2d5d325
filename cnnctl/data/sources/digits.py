"""scikit-learn's handwritten digits."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from cnnctl.data.dataset import StoredSplit
from cnnctl.data.image_set import ImageSet
from cnnctl.data.samples import DatasetInfo, Samples, Target
from cnnctl.data.splits import stratified_split

SAMPLES, TEST_SAMPLES = 1797, 360
LEVELS = 16
"""Maximum pixel value."""
PARITY = Target("parity", ("even", "odd"), 2)


class Digits(ImageSet, kind="digits"):
    """Handwritten digits, no download: 1,437 training and 360 test images, 8x8, grey.

    scikit-learn's copy of the test part of the UCI optical recognition of handwritten digits
    dataset. It is published without a test split; ours is a fixed fifth of every class. Targets for
    heads: `digit` and `parity`, which is even or odd.
    """

    has_files: ClassVar[bool] = False
    shows_characters: ClassVar[bool] = True

    def original(self) -> DatasetInfo:
        names, count = tuple("0123456789"), SAMPLES - TEST_SAMPLES
        return DatasetInfo((1, 8, 8), names, 10, count, target="digit", others=(PARITY,))

    def read_original(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        images, labels = _published()
        pixels = torch.from_numpy(images * 255 / LEVELS).round().to(torch.uint8)
        digits = torch.from_numpy(labels)
        everything = Samples(pixels.view(-1, 1, 8, 8), digits, {PARITY.name: digits % 2})
        train, test = stratified_split(labels, held_out=TEST_SAMPLES, seed=0)
        return everything.take(train if split == "train" else test)


def _published() -> tuple[NDArray[np.float64], NDArray[Any]]:
    """The images, (N, 64), and the labels, (N,), of scikit-learn's file.

    Importing scikit-learn takes as long as importing torch, so it is only asked for the digits
    where they are not in the file that it reads today.
    """
    package = find_spec("sklearn")
    for folder in package.submodule_search_locations or [] if package else []:
        file = Path(folder, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            table = np.loadtxt(file, delimiter=",")
            return table[:, :-1], table[:, -1].astype(int)
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return images, labels
