"""The tiny photographs of CIFAR-10 and CIFAR-100."""

from __future__ import annotations

import hashlib
import pickle
from abc import abstractmethod
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from cnnctl.data.dataset import StoredSplit
from cnnctl.data.download import DownloadedSet, damaged
from cnnctl.data.samples import DatasetInfo, Samples, Target


class CifarSet(DownloadedSet):
    """Photographs in torchvision's batch files, which are Python pickles.

    A pickle can run code. These cannot: a batch is read only if its MD5 sum is the published one,
    from the same bytes that were summed, and by a reader that accepts only arrays of numbers.
    """

    labels: ClassVar[str]
    """Key of the labels in a batch."""
    coarse_labels: ClassVar[str] = ""
    """Key of the coarse labels, for heads."""

    @abstractmethod
    def published(self) -> Any:
        """torchvision's class, which knows names, places and MD5 sums."""

    def files(self, split: StoredSplit) -> Sequence[str]:
        return [f"{self.published().base_folder}/{name}" for name, _ in self._batches(split)]

    def fetch(self, folder: Path) -> None:
        from torchvision.datasets.utils import download_and_extract_archive

        published = self.published()
        download_and_extract_archive(
            published.url, folder, filename=published.filename, md5=published.tgz_md5
        )

    def parse(self, split: StoredSplit, root: Path) -> Samples:
        folder = root / self.published().base_folder
        read = [read_batch(folder / name, md5=md5) for name, md5 in self._batches(split)]
        pixels = np.concatenate([batch["data"] for batch in read]).reshape(-1, 3, 32, 32)
        known = {name: _labels(read, name) for name in (self.labels, self.coarse_labels) if name}
        return Samples(torch.from_numpy(pixels), known.pop(self.labels), known)

    def _batches(self, split: StoredSplit) -> Sequence[tuple[str, str]]:
        """The files of a split, each with its MD5 sum."""
        published = self.published()
        batches: list[tuple[str, str]] = (
            published.train_list if split == "train" else published.test_list
        )
        return batches


def _labels(batches: Sequence[dict[str, Any]], name: str) -> Tensor:
    return torch.tensor([label for batch in batches for label in batch[name]])


class Cifar10(CifarSet, kind="cifar10"):
    """Ten kinds of animals and vehicles: 50,000 training and 10,000 test photographs, 32x32."""

    labels = "labels"

    def original(self) -> DatasetInfo:
        return DatasetInfo((3, 32, 32), tuple(TEN_CLASSES.split()), 10, 50_000)

    def published(self) -> Any:
        from torchvision.datasets import CIFAR10

        return CIFAR10


class Cifar100(CifarSet, kind="cifar100"):
    """A hundred kinds of things: 50,000 training and 10,000 test photographs, 32x32.

    Targets for heads: `fine_labels`, and `coarse_labels`, which are twenty.
    """

    labels = "fine_labels"
    coarse_labels = "coarse_labels"

    def original(self) -> DatasetInfo:
        coarse = Target(self.coarse_labels, tuple(TWENTY_CLASSES.split()), 20)
        names = tuple(HUNDRED_CLASSES.split())
        return DatasetInfo((3, 32, 32), names, 100, 50_000, target=self.labels, others=(coarse,))

    def published(self) -> Any:
        from torchvision.datasets import CIFAR100

        return CIFAR100


def read_batch(file: Path, *, md5: str) -> dict[str, Any]:
    """One file of images and labels.

    Raises:
        FaultError: its MD5 sum does not match.
    """
    content = file.read_bytes()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise damaged(file)
    batch: dict[str, Any] = ArraysOnly(BytesIO(content), encoding="latin1").load()
    return batch


class ArraysOnly(pickle.Unpickler):
    """Unpickles arrays, strings, numbers, lists and dicts, and rejects anything else."""

    def find_class(self, module: str, name: str) -> Any:
        """Allow only the three names that a pickled array refers to."""
        return _OF_ARRAYS[module.replace("._core", ".core"), name]


_OF_ARRAYS = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}

TEN_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"
HUNDRED_CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile
cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp
lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree
orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum
rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train
trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
TWENTY_CLASSES = """
aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices
household_furniture insects large_carnivores large_man-made_outdoor_things
large_natural_outdoor_scenes large_omnivores_and_herbivores medium_mammals non-insect_invertebrates
people reptiles small_mammals trees vehicles_1 vehicles_2
"""
