"""House numbers in photographs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import digits

import torch

from cnnctl.data.dataset import StoredSplit
from cnnctl.data.download import DownloadedSet, damaged
from cnnctl.data.samples import DatasetInfo, Samples


class Svhn(DownloadedSet, kind="svhn"):
    """Digits of house numbers: 73,257 training and 26,032 test photographs, 32x32, colour."""

    shows_characters = True

    def original(self) -> DatasetInfo:
        return DatasetInfo((3, 32, 32), tuple(digits), 10, 73_257)

    def files(self, split: StoredSplit) -> Sequence[str]:
        return [_file(split)]

    def fetch(self, folder: Path) -> None:
        from torchvision.datasets import SVHN

        for split in ("train", "test"):
            SVHN(folder, split=split, download=True)

    def parse(self, split: StoredSplit, root: Path) -> Samples:
        from torchvision.datasets import SVHN

        try:
            stored = SVHN(root, split=split)  # checks the file's MD5 sum before it reads it
        except RuntimeError:
            raise damaged(root / _file(split)) from None
        images = torch.from_numpy(stored.data).contiguous()
        return Samples(images, torch.from_numpy(stored.labels))


def _file(split: str) -> str:
    return f"{split}_32x32.mat"
