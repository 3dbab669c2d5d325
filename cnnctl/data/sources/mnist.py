"""MNIST and datasets in its format: grey, 28x28, in idx files."""

from __future__ import annotations

import os
import struct
from abc import abstractmethod
from collections.abc import Mapping
from math import prod
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from cnnctl.data.dataset import StoredSplit
from cnnctl.data.download import DownloadedSet, check_sum, damaged
from cnnctl.data.samples import DatasetInfo, Samples
from cnnctl.errors import data_fault

SHAPE = (1, 28, 28)
UNSIGNED_BYTES = 0x800
"""Magic number of an idx file of bytes, to which the number of dimensions is added."""


class MnistLike(DownloadedSet):
    """60,000 training and 10,000 test images of ten classes, in files named as MNIST's."""

    folder: ClassVar[str]
    """torchvision's folder of the files, relative to the root."""
    sums: ClassVar[Mapping[str, str]] = {}
    """MD5 sums of the unpacked files, if known."""
    counts: ClassVar[Mapping[StoredSplit, int]] = {"train": 60_000, "test": 10_000}
    """Samples in each split, the same for every class; for sets without known sums."""

    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of their numbers."""

    def original(self) -> DatasetInfo:
        return DatasetInfo(SHAPE, self.class_names(), 10, 60_000)

    def files(self, split: StoredSplit) -> tuple[str, str]:
        return idx_files(self.folder, "train" if split == "train" else "t10k")

    def parse(self, split: StoredSplit, root: Path) -> Samples:
        files = self.files(split)
        images, labels = read_idx_files(root, files, sums=self.sums)
        if not self.sums:
            check_labels(labels, 10, self.counts[split], is_even=True, file=root / files[1])
        return Samples(images, labels)


class Mnist(MnistLike, kind="mnist"):
    """Handwritten digits: 60,000 training and 10,000 test images, 28x28, grey."""

    shows_characters = True
    folder = "MNIST"
    sums = {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }

    def class_names(self) -> tuple[str, ...]:
        return tuple(digits)

    def fetch(self, folder: Path) -> None:
        from torchvision.datasets import MNIST

        MNIST(folder, download=True)


class FashionMnist(MnistLike, kind="fashion_mnist"):
    """Clothes: 60,000 training and 10,000 test images, 28x28, grey."""

    folder = "FashionMNIST"
    sums = {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    }

    def class_names(self) -> tuple[str, ...]:
        tops = "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"
        return *tops, "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"

    def fetch(self, folder: Path) -> None:
        from torchvision.datasets import FashionMNIST

        FashionMNIST(folder, download=True)


class Kmnist(MnistLike, kind="kmnist"):
    """Cursive Japanese characters: 60,000 training and 10,000 test images, 28x28, grey."""

    shows_characters = True
    folder = "KMNIST"
    notes_sums = True

    def class_names(self) -> tuple[str, ...]:
        return "o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"

    def fetch(self, folder: Path) -> None:
        from torchvision.datasets import KMNIST

        KMNIST(folder, download=True)


MERGED = digits + ascii_uppercase + "abdefghnqrt"
"""Letters whose upper and lower case look alike are merged."""


class Variant(NamedTuple):
    """A variant of EMNIST."""

    classes: str
    train: int
    test: int
    is_even: bool = True
    """Whether every class has the same number of samples."""


VARIANTS = {
    "byclass": Variant(digits + ascii_uppercase + ascii_lowercase, 697_932, 116_323, is_even=False),
    "bymerge": Variant(MERGED, 697_932, 116_323, is_even=False),
    "balanced": Variant(MERGED, 112_800, 18_800),
    "letters": Variant(ascii_lowercase, 124_800, 20_800),
    "digits": Variant(digits, 240_000, 40_000),
    "mnist": Variant(digits, 60_000, 10_000),
}


class Emnist(DownloadedSet, kind="emnist"):
    """Handwritten letters and digits in six variants, 28x28, grey.

    The files store images transposed and letters as classes from 1; here, images are upright and
    classes start at 0.
    """

    shows_characters = True
    notes_sums = True

    split: Literal["byclass", "bymerge", "balanced", "letters", "digits", "mnist"] = "balanced"
    """Variant: 62 unbalanced classes, 47 with similar upper and lower case letters merged, the same
    balanced, 26 letters, 10 digits, or 10 digits in the sizes of MNIST."""

    def original(self) -> DatasetInfo:
        variant = VARIANTS[self.split]
        return DatasetInfo(SHAPE, tuple(variant.classes), len(variant.classes), variant.train)

    def files(self, split: StoredSplit) -> tuple[str, str]:
        return idx_files("EMNIST", f"emnist-{self.split}-{split}")

    def fetch(self, folder: Path) -> None:
        from torchvision.datasets import EMNIST

        EMNIST(folder, split=self.split, download=True)

    def parse(self, split: StoredSplit, root: Path) -> Samples:
        files, variant = self.files(split), VARIANTS[self.split]
        images, labels = read_idx_files(root, files)
        labels -= int(self.split == "letters")
        count = variant.train if split == "train" else variant.test
        classes = len(variant.classes)
        check_labels(labels, classes, count, is_even=variant.is_even, file=root / files[1])
        return Samples(images.transpose(2, 3).contiguous(), labels)


def idx_files(folder: str, stem: str) -> tuple[str, str]:
    """The files of images and of labels, relative to the root."""
    return f"{folder}/raw/{stem}-images-idx3-ubyte", f"{folder}/raw/{stem}-labels-idx1-ubyte"


def read_idx_files(
    root: Path, files: tuple[str, str], *, sums: Mapping[str, str] | None = None
) -> tuple[Tensor, Tensor]:
    """Images (N, 1, H, W) uint8 and labels (N,) int64 of two idx files; damaged ones are a fault.

    `sums` are the expected MD5 sums by file name.
    """
    images, labels = (root / file for file in files)
    for file in (images, labels):
        check_sum(file, (sums or {}).get(file.name))
    return read_idx(images, ndim=3)[:, None], read_idx(labels, ndim=1).long()


def check_labels(labels: Tensor, classes: int, count: int, *, is_even: bool, file: Path) -> None:
    """Raise a FaultError unless the number of samples, and of each class, is the published one."""
    hint = "delete it, and it will be downloaded again"
    if len(labels) != count:
        raise data_fault(f"{file} has {len(labels):,} labels, not {count:,}", hint=hint)
    low, high = (int(bound) for bound in torch.aminmax(labels))
    if low < 0 or high >= classes:
        return  # `conformed` rejects these, with the range
    counts = torch.bincount(labels, minlength=classes)
    fewest, most = int(counts.min()), int(counts.max())
    if not fewest or (is_even and fewest != most):
        wanted = f"{count // classes:,} of each class" if is_even else "some of each class"
        message = f"{file} has {fewest:,} to {most:,} labels per class, not {wanted}"
        raise data_fault(message, hint=hint)


def read_idx(file: Path, *, ndim: int) -> Tensor:
    """The bytes of an idx file, uint8; a magic number and the size of each dimension come first.

    They are read once, while torchvision's reader copies them.

    Raises:
        FaultError: the file is not such an idx file.
    """
    with file.open("rb") as handle:
        head = handle.read(4 + 4 * ndim)
        magic, *sizes = struct.unpack(f">{1 + ndim}I", head.ljust(4 + 4 * ndim, b"\0"))
        size = len(head) + prod(sizes)
        if magic != UNSIGNED_BYTES + ndim or os.fstat(handle.fileno()).st_size != size:
            raise damaged(file)
        return torch.from_numpy(np.fromfile(handle, dtype=np.uint8).reshape(sizes))
