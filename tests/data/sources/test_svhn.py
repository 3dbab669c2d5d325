import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat
from torchvision import datasets

from cnnctl.data.sources.svhn import Svhn
from cnnctl.errors import FaultError
from tests.data.conftest import inputs_of

Stored = tuple[np.ndarray[Any, np.dtype[np.uint8]], np.ndarray[Any, np.dtype[np.uint8]]]


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stored:
    """Small files in their place, as if their MD5 sums were the published ones."""
    images = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 20), dtype=np.uint8)
    labels = np.arange(20, dtype=np.uint8)[:, None] % 10 + 1
    published = dict(datasets.SVHN.split_list)
    for split in ("train", "test"):
        file = tmp_path / f"{split}_32x32.mat"
        savemat(file, {"X": images, "y": labels})
        published[split] = [*published[split][:2], hashlib.md5(file.read_bytes()).hexdigest()]
    monkeypatch.setattr(datasets.SVHN, "split_list", published)
    return images, labels


def test_images_are_read_by_channel_and_label_10_is_the_digit_0(
    stored: Stored, tmp_path: Path
) -> None:
    images, labels = stored
    samples = Svhn().load("train", root=tmp_path, download=False)
    assert np.array_equal(inputs_of(samples).numpy(), images.transpose(3, 2, 0, 1))
    assert np.array_equal(samples.targets.numpy(), labels[:, 0] % 10)


def test_a_damaged_file_is_a_data_fault_that_names_it(stored: Stored, tmp_path: Path) -> None:
    file = tmp_path / "train_32x32.mat"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(FaultError, match=r"train_32x32\.mat is damaged"):
        Svhn().load("train", root=tmp_path, download=False)
