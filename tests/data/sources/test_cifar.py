import hashlib
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision import datasets

from cnnctl.data import sources
from cnnctl.data.dataset import DataSet, StoredSplit
from cnnctl.data.sources.cifar import read_batch
from cnnctl.errors import ExitCode, FaultError
from tests.data.conftest import inputs_of

assert sources

Numbers = np.ndarray[Any, np.dtype[Any]]
Write = Callable[..., tuple[Numbers, dict[str, Numbers]]]


def text(value: str) -> bytes:
    return b"U" + bytes([len(value)]) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def python2_batch(pixels: Numbers, labels: dict[str, Numbers]) -> bytes:
    """A batch as the published ones were written, by Python 2: opcodes of pickle's protocol 2."""
    dtype = b"cnumpy\ndtype\n" + text("u1") + b"K\0K\1\x87R(K\3" + text("|")
    dtype += b"NNN" + number(-1) * 2 + b"K\0tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R(K\1"
    array += number(pixels.shape[0]) + number(pixels.shape[1]) + b"\x86" + dtype + b"\x89"
    array += b"T" + struct.pack("<i", pixels.nbytes) + pixels.tobytes() + b"tb"
    columns = b"".join(
        text(name) + b"](" + b"".join(b"K" + bytes([number]) for number in numbers) + b"e"
        for name, numbers in labels.items()
    )
    return b"\x80\2}(" + text("data") + array + columns + b"u."


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes small batches into their place, as if their MD5 sums were the published ones."""

    def write(published: Any, **classes: int) -> tuple[Numbers, dict[str, Numbers]]:
        folder = tmp_path / published.base_folder
        folder.mkdir()
        pixels = np.random.default_rng(0).integers(0, 256, (60, 3072), dtype=np.uint8)
        labels = {name: np.arange(60) % count for name, count in classes.items()}
        for which in ("train_list", "test_list"):
            files = [file for file, _ in getattr(published, which)]
            parts = np.array_split(np.arange(60), len(files))
            sums = []
            for file, rows in zip(files, parts, strict=True):
                own = {name: numbers[rows] for name, numbers in labels.items()}
                content = python2_batch(pixels[rows], own)
                (folder / file).write_bytes(content)
                sums.append([file, hashlib.md5(content).hexdigest()])
            monkeypatch.setattr(published, which, sums)
        return pixels, labels

    return write


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_batches_of_ten_classes_are_read_in_their_order(
    split: StoredSplit, written: Write, tmp_path: Path
) -> None:
    pixels, labels = written(datasets.CIFAR10, labels=10)
    samples = DataSet.read("cifar10").load(split, root=tmp_path, download=False)
    assert np.array_equal(inputs_of(samples).numpy().reshape(60, -1), pixels)
    assert samples.targets.tolist() == labels["labels"].tolist()


@pytest.mark.parametrize("split", ["train", "test"])
def test_of_a_hundred_classes_the_fine_ones_come_first(
    split: StoredSplit, written: Write, tmp_path: Path
) -> None:
    pixels, labels = written(datasets.CIFAR100, coarse_labels=20, fine_labels=100)
    samples = DataSet.read("cifar100").load(split, root=tmp_path, download=False)
    assert np.array_equal(inputs_of(samples).numpy().reshape(60, -1), pixels)
    assert samples.targets.tolist() == labels["fine_labels"].tolist()
    assert samples.others["coarse_labels"].tolist() == labels["coarse_labels"].tolist()


def test_batches_hold_what_torchvision_reads_from_them(
    written: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(datasets.CIFAR10, labels=10)
    monkeypatch.setattr(datasets.CIFAR10, "_load_meta", lambda _: None)
    theirs = datasets.CIFAR10(tmp_path)
    ours = DataSet.read("cifar10").load("train", root=tmp_path, download=False)
    assert np.array_equal(inputs_of(ours).permute(0, 2, 3, 1).numpy(), theirs.data)
    assert ours.targets.tolist() == theirs.targets


def test_a_batch_with_another_sum_is_damaged(written: Write, tmp_path: Path) -> None:
    written(datasets.CIFAR10, labels=10)
    file = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    content = bytearray(file.read_bytes())
    content[2000] ^= 1
    file.write_bytes(content)
    with pytest.raises(FaultError, match="data_batch_3 is damaged") as error:
        DataSet.read("cifar10").load("train", root=tmp_path, download=False)
    assert error.value.exit_code is ExitCode.DATA


class Trap:
    """Unpickling one leaves a file behind."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.file), "w")


def test_a_file_that_is_not_the_published_one_is_never_unpickled(tmp_path: Path) -> None:
    sprung, file = tmp_path / "sprung", tmp_path / "batch"
    file.write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(FaultError, match="is damaged"):
        read_batch(file, md5="c99cafc152244af753f735de768cd75f")
    assert not sprung.exists()


def test_even_with_the_right_sum_a_batch_can_run_nothing(tmp_path: Path) -> None:
    sprung, file = tmp_path / "sprung", tmp_path / "batch"
    file.write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(KeyError):
        read_batch(file, md5=hashlib.md5(file.read_bytes()).hexdigest())
    assert not sprung.exists()


def test_the_classes_have_their_names() -> None:
    ten = DataSet.read("cifar10").describe().class_names
    # https://www.cs.toronto.edu/~kriz/cifar.html
    assert ten[:4] == ("airplane", "automobile", "bird", "cat")
    assert ten[4:] == ("deer", "dog", "frog", "horse", "ship", "truck")
    hundred = DataSet.read("cifar100").describe().class_names
    assert list(hundred) == sorted(hundred)
    assert (hundred[0], hundred[50], hundred[99]) == ("apple", "mouse", "worm")


def test_pixels_are_kept_by_channel(written: Write, tmp_path: Path) -> None:
    pixels, _ = written(datasets.CIFAR10, labels=10)
    samples = DataSet.read("cifar10").load("train", root=tmp_path, download=False)
    # "the first 1024 entries contain the red channel values, the next 1024 the green", by rows
    assert samples.inputs.shape == (60, 3, 32, 32)
    assert inputs_of(samples)[7, 1, 2, 5] == pixels[7, 1024 + 2 * 32 + 5]
    assert samples.inputs.dtype == torch.uint8
