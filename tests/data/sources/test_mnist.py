import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cnnctl.data import sources
from cnnctl.data.dataset import DataSet, StoredSplit
from cnnctl.data.normalization import Normalize
from cnnctl.data.preparation import SplitName, prepare, read_split
from cnnctl.data.samples import DatasetInfo
from cnnctl.data.sources.mnist import VARIANTS, Emnist, FashionMnist, Kmnist, Mnist, Variant
from cnnctl.errors import ExitCode, FaultError
from tests.data.conftest import inputs_of

assert sources

Write = Callable[..., list[tuple[Tensor, Tensor]]]


def idx(values: Tensor) -> bytes:
    """The idx format, http://yann.lecun.com/exdb/mnist/: magic number, sizes, bytes."""
    magic = struct.pack(">BBBB", 0, 0, 8, values.ndim)
    return magic + struct.pack(f">{values.ndim}I", *values.shape) + values.numpy().tobytes()


def random_split(count: int, classes: int = 10) -> tuple[Tensor, Tensor]:
    images = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8)
    return images, torch.arange(count).remainder(classes).to(torch.uint8)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes small files into their place, as if they were the published ones.

    Returns images and labels of each split.
    """

    def write(
        folder: str, stems: list[str], classes: int = 10, first: int = 0
    ) -> list[tuple[Tensor, Tensor]]:
        raw = tmp_path / folder / "raw"
        raw.mkdir(parents=True)
        splits = [random_split(count, classes) for count in (40, 20)]
        for stem, (images, labels) in zip(stems, splits, strict=True):
            (raw / f"{stem}-images-idx3-ubyte").write_bytes(idx(images))
            (raw / f"{stem}-labels-idx1-ubyte").write_bytes(idx(labels + first))
        sums = {file.name: hashlib.md5(file.read_bytes()).hexdigest() for file in raw.iterdir()}
        for kind in (Mnist, FashionMnist):
            monkeypatch.setattr(kind, "sums", sums)
        monkeypatch.setattr(Kmnist, "counts", {"train": 40, "test": 20})
        letters = VARIANTS["letters"]._replace(train=40, test=20, is_even=False)
        monkeypatch.setitem(VARIANTS, "letters", letters)
        return splits

    return write


@pytest.mark.parametrize(
    ("kind", "folder"),
    [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST"), ("kmnist", "KMNIST")],
)
def test_files_are_found_where_torchvision_keeps_them(
    kind: str, folder: str, written: Write, tmp_path: Path
) -> None:
    splits = written(folder, ["train", "t10k"])
    both: list[StoredSplit] = ["train", "test"]
    for split, (images, labels) in zip(both, splits, strict=True):
        samples = DataSet.read(kind).load(split, root=tmp_path, download=False)
        assert torch.equal(inputs_of(samples), images[:, None])
        assert torch.equal(samples.targets, labels.long())


def test_letters_stand_upright_and_begin_at_class_0(written: Write, tmp_path: Path) -> None:
    stems = ["emnist-letters-train", "emnist-letters-test"]
    (images, labels), _ = written("EMNIST", stems, classes=26, first=1)
    samples = Emnist(split="letters").load("train", root=tmp_path, download=False)
    assert torch.equal(inputs_of(samples)[:, 0], images.transpose(1, 2))
    assert torch.equal(samples.targets, labels.long())


@pytest.mark.parametrize(
    ("split", "classes", "samples"),
    # Cohen et al. 2017 and the page of the dataset: 814,255 characters, 131,600, 145,600, …
    [
        ("byclass", 62, 814_255 - 116_323),
        ("bymerge", 47, 814_255 - 116_323),
        ("balanced", 47, 131_600 * 6 // 7),
        ("letters", 26, 145_600 * 6 // 7),
        ("digits", 10, 280_000 * 6 // 7),
        ("mnist", 10, 60_000),
    ],
)
def test_the_variants_of_emnist_have_their_classes(split: str, classes: int, samples: int) -> None:
    written = {"name": "emnist", "split": split, "validation": 0}
    described = DataSet.read(written).describe()
    assert (described.outputs, described.train_samples) == (classes, samples)


def test_class_names_are_torchvisions() -> None:
    from torchvision import datasets

    assert list(FashionMnist().describe().class_names) == datasets.FashionMNIST.classes
    assert list(DataSet.read("kmnist").describe().class_names) == datasets.KMNIST.classes
    for split, names in datasets.EMNIST.classes_split_dict.items():
        ours = list(DataSet.read({"name": "emnist", "split": split}).describe().class_names)
        assert ours == [name for name in names if name != "N/A"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: b"\0\0\x0d\3" + content[4:],
        lambda content: b"not an idx file, but a page that says that there is none",
    ],
    ids=["empty", "cut short", "too long", "other type", "text"],
)
@pytest.mark.parametrize("part", ["images-idx3", "labels-idx1"])
def test_a_damaged_file_is_a_data_fault_that_names_it(
    spoil: Callable[[bytes], bytes], part: str, written: Write, tmp_path: Path
) -> None:
    written("MNIST", ["train", "t10k"])
    file = tmp_path / f"MNIST/raw/train-{part}-ubyte"
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(FaultError, match="is damaged") as error:
        Mnist().load("train", root=tmp_path, download=False)
    assert error.value.exit_code is ExitCode.DATA
    assert str(file) in str(error.value)
    assert "delete it" in error.value.faults[0].hint


def test_labels_of_other_classes_are_a_data_fault(written: Write, tmp_path: Path) -> None:
    written("MNIST", ["train", "t10k"], classes=12)
    with pytest.raises(FaultError, match="labels from 0 to 11, but classes from 0 to 9"):
        Mnist().load("train", root=tmp_path, download=False)


def test_images_of_another_size_are_a_data_fault(
    written: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written("MNIST", ["train", "t10k"])
    file = tmp_path / "MNIST/raw/train-images-idx3-ubyte"
    file.write_bytes(idx(torch.zeros(40, 8, 8, dtype=torch.uint8)))
    monkeypatch.setattr(Mnist, "sums", {})
    monkeypatch.setattr(Mnist, "counts", {"train": 40, "test": 20})
    with pytest.raises(FaultError, match="samples of 1x8x8, not of 1x28x28"):
        Mnist().load("train", root=tmp_path, download=False)


def zero(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:8] + bytes(len(content) - 8))


def exchange(file: Path) -> None:
    other = file.with_name(file.name.replace("train", "t10k"))
    ours, theirs = file.read_bytes(), other.read_bytes()
    file.write_bytes(theirs)
    other.write_bytes(ours)


@pytest.mark.parametrize("spoil", [zero, exchange])
@pytest.mark.parametrize(
    ("kind", "folder"),
    [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST"), ("kmnist", "KMNIST")],
)
def test_files_of_the_right_form_but_other_content_are_a_data_fault(
    kind: str, folder: str, spoil: Callable[[Path], None], written: Write, tmp_path: Path
) -> None:
    written(folder, ["train", "t10k"])
    file = tmp_path / folder / "raw/train-labels-idx1-ubyte"
    spoil(file)
    with pytest.raises(FaultError) as error:
        DataSet.read(kind).load("train", root=tmp_path, download=False)
    assert error.value.exit_code is ExitCode.DATA
    assert str(file) in str(error.value)
    assert "delete it" in error.value.faults[0].hint


def test_a_few_samples_of_a_set_whose_sums_are_not_known_are_a_data_fault(
    written: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written("KMNIST", ["train", "t10k"])
    monkeypatch.setattr(Kmnist, "counts", {"train": 60_000, "test": 10_000})
    with pytest.raises(FaultError, match="has 40 labels, not 60,000"):
        Kmnist().load("train", root=tmp_path, download=False)


def test_letters_of_which_some_are_missing_are_a_data_fault(written: Write, tmp_path: Path) -> None:
    stems = ["emnist-letters-train", "emnist-letters-test"]
    written("EMNIST", stems, classes=25, first=1)
    with pytest.raises(FaultError, match="has 0 to 2 labels per class, not some of each class"):
        Emnist(split="letters").load("train", root=tmp_path, download=False)


@pytest.mark.parametrize("variant", VARIANTS.values())
def test_variants_that_are_even_have_integers_of_samples_a_class(variant: Variant) -> None:
    classes = len(variant.classes)
    is_even = variant.train % classes == 0 and variant.test % classes == 0
    assert is_even or not variant.is_even


@pytest.mark.parametrize("name", ["test", "validation", "train"])
def test_only_the_files_of_the_split_that_is_asked_for_are_read(
    name: SplitName, written: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written("MNIST", ["train", "t10k"])
    described = DatasetInfo((1, 28, 28), tuple("0123456789"), 10, 40)
    monkeypatch.setattr(Mnist, "original", lambda _: described)
    data = prepare(DataSet.read({"name": "mnist", "validation": 0.25}), seed=0, root=tmp_path).data
    unread = "train" if name == "test" else "t10k"
    for file in (tmp_path / "MNIST" / "raw").glob(f"{unread}-*"):
        file.unlink()
    split = read_split(data, name, seed=0, root=tmp_path, download=False)
    assert len(split) == {"test": 20, "validation": 10, "train": 30}[name]
    assert isinstance(data.normalize, Normalize)
    other: SplitName = "train" if name == "test" else "test"
    with pytest.raises(FaultError, match="not found: no "):
        read_split(data, other, seed=0, root=tmp_path, download=False)
