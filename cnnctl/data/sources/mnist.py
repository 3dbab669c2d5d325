"""MNIST, and the data sets that come in its format: grey, 28x28, in idx files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits
from typing import ClassVar, Literal

from torch import Tensor

from cnnctl.data.dataset import Split
from cnnctl.data.download import DownloadedSet, damaged
from cnnctl.data.samples import Description, Samples

SHAPE = (1, 28, 28)


class MnistLike(DownloadedSet):
    """60,000 training and 10,000 test images of ten classes, with the names of MNIST's files."""

    folder: ClassVar[str]
    """Where torchvision keeps the files, below the root."""

    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of their numbers."""

    def original(self) -> Description:
        return Description(SHAPE, self.class_names(), 10, 60_000)

    def files(self) -> Sequence[str]:
        return [*idx_files(self.folder, "train"), *idx_files(self.folder, "t10k")]

    def parse(self, split: Split, root: Path) -> Samples:
        return read_idx_files(root, idx_files(self.folder, "train" if split == "train" else "t10k"))


class Mnist(MnistLike, kind="mnist"):
    """Handwritten digits: 60,000 training and 10,000 test images, 28x28, grey."""

    folder = "MNIST"

    def class_names(self) -> tuple[str, ...]:
        return tuple(digits)

    def fetch(self, folder: Path) -> None:
        from torchvision.datasets import MNIST

        MNIST(folder, download=True)


class FashionMnist(MnistLike, kind="fashion_mnist"):
    """Clothes: 60,000 training and 10,000 test images, 28x28, grey."""

    folder = "FashionMNIST"

    def class_names(self) -> tuple[str, ...]:
        tops = "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"
        return *tops, "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"

    def fetch(self, folder: Path) -> None:
        from torchvision.datasets import FashionMNIST

        FashionMNIST(folder, download=True)


class Kmnist(MnistLike, kind="kmnist"):
    """Cursive Japanese characters: 60,000 training and 10,000 test images, 28x28, grey."""

    folder = "KMNIST"

    def class_names(self) -> tuple[str, ...]:
        return "o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"

    def fetch(self, folder: Path) -> None:
        from torchvision.datasets import KMNIST

        KMNIST(folder, download=True)


MERGED = digits + ascii_uppercase + "abdefghnqrt"
"""Letters of which both cases look alike count once."""
VARIANTS = {
    "byclass": (digits + ascii_uppercase + ascii_lowercase, 697_932),
    "bymerge": (MERGED, 697_932),
    "balanced": (MERGED, 112_800),
    "letters": (ascii_lowercase, 124_800),
    "digits": (digits, 240_000),
    "mnist": (digits, 60_000),
}
"""The classes of each variant, and its training samples."""


class Emnist(DownloadedSet, kind="emnist"):
    """Handwritten letters and digits in six variants, 28x28, grey.

    The files hold every image mirrored at its diagonal, and the first letter as class 1; here
    images stand upright and classes begin at 0.
    """

    split: Literal["byclass", "bymerge", "balanced", "letters", "digits", "mnist"] = "balanced"
    """The variant: 62 unbalanced classes, 47 with like cases merged, those balanced, 26 letters,
    10 digits, or as many digits as MNIST has."""

    def original(self) -> Description:
        classes, samples = VARIANTS[self.split]
        return Description(SHAPE, tuple(classes), len(classes), samples)

    def files(self) -> Sequence[str]:
        return [*self._files("train"), *self._files("test")]

    def fetch(self, folder: Path) -> None:
        from torchvision.datasets import EMNIST

        EMNIST(folder, split=self.split, download=True)

    def parse(self, split: Split, root: Path) -> Samples:
        stored = read_idx_files(root, self._files(split))
        first = int(self.split == "letters")
        return Samples(stored.inputs.transpose(2, 3).contiguous(), stored.targets - first)

    def _files(self, split: Split) -> tuple[str, str]:
        return idx_files("EMNIST", f"emnist-{self.split}-{split}")


def idx_files(folder: str, stem: str) -> tuple[str, str]:
    """The files of images and of labels, relative to the root."""
    return f"{folder}/raw/{stem}-images-idx3-ubyte", f"{folder}/raw/{stem}-labels-idx1-ubyte"


def read_idx_files(root: Path, files: tuple[str, str]) -> Samples:
    """Images (N, 1, H, W) and labels (N,) of two idx files; damaged ones are a fault."""
    from torchvision.datasets.mnist import read_image_file, read_label_file

    images, labels = (root / file for file in files)
    return Samples(_read(images, read_image_file)[:, None], _read(labels, read_label_file))


def _read(file: Path, read: Callable[[str], Tensor]) -> Tensor:
    try:
        return read(str(file))
    except (AssertionError, KeyError, OSError, RuntimeError, TypeError, ValueError):
        raise damaged(file) from None
