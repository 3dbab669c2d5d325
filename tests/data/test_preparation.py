import struct
import subprocess
import sys
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cnnctl.data import sources
from cnnctl.data.dataset import DataSet, RegressionSet
from cnnctl.data.normalization import Normalize, normalization_of
from cnnctl.data.preparation import Prepared, SplitName, cut, prepare, read_split
from cnnctl.data.preprocessing import Preprocessing
from cnnctl.data.samples import Samples, Split
from cnnctl.errors import ExitCode, FaultError

assert sources

NO_DATA = Path("there-is-no-such-folder")


def inputs_of(split: Split) -> Tensor:
    return torch.cat(list(split.chunks()))


def rows(split: Split) -> set[tuple[float, ...]]:
    return {tuple(row) for row in torch.column_stack([inputs_of(split), split.targets]).tolist()}


def preprocessing(**options: Any) -> Preprocessing:
    return Preprocessing.of(prepared(**options).data)


def prepared(*, seed: int = 0, **options: Any) -> Prepared:
    return prepare(DataSet.read(options), seed=seed, root=NO_DATA)


@pytest.mark.parametrize("kind", ["digits", "moons", "circles", "spirals", "xor", "diabetes"])
def test_the_embedded_sets_come_as_they_are_described(kind: str) -> None:
    data = DataSet.read(kind)
    splits = prepare(data, seed=0, root=NO_DATA).splits
    described = data.describe()
    assert len(splits.train) == described.train_samples
    assert inputs_of(splits.train).shape[1:] == described.shape
    whole = described.train_samples + len(splits.validation)
    assert len(splits.validation) == round(0.1 * whole)
    classes = splits.train.targets.dtype == torch.int64
    assert classes == (described.targets[0].kind == "class")


def test_the_splits_share_no_sample_and_cover_all() -> None:
    splits = prepared(name="moons").splits
    train, validation, test = map(rows, (splits.train, splits.validation, splits.test))
    assert train.isdisjoint(validation)
    assert test.isdisjoint(train | validation)
    whole = DataSet.read("moons").load("train", root=NO_DATA)
    assert train | validation == rows(Split(whole, torch.arange(len(whole))))


def test_validation_depends_on_the_seed_and_the_test_split_does_not() -> None:
    first, again, other = (prepared(name="digits", seed=seed).splits for seed in (1, 1, 2))
    assert torch.equal(first.validation.positions, again.validation.positions)
    assert not torch.equal(first.validation.positions, other.validation.positions)
    assert torch.equal(inputs_of(first.test), inputs_of(other.test))


def test_validation_does_not_depend_on_anything_else() -> None:
    plain = prepared(name="digits").splits
    other = prepared(name="digits", batch_size=7, size=16, normalize=None).splits
    assert torch.equal(plain.validation.targets, other.validation.targets)
    assert torch.equal(plain.train.targets, other.train.targets)


def test_without_a_share_there_is_no_validation() -> None:
    splits = prepared(name="digits", validation=0).splits
    assert (len(splits.train), len(splits.validation)) == (1437, 0)


def test_every_class_is_in_validation() -> None:
    labels = prepared(name="digits").splits.validation.targets
    assert torch.bincount(labels).tolist() == pytest.approx([14.4] * 10, abs=1)


def test_only_what_is_left_for_training_is_measured() -> None:
    data = prepared(name="digits")
    assert data.data.normalize == normalization_of([inputs_of(data.splits.train)])
    assert data.data.normalize != normalization_of([inputs_of(data.splits.test)])


def test_the_measured_numbers_are_kept_in_the_configuration() -> None:
    data = prepared(name="diabetes")
    assert isinstance(data.data.normalize, Normalize)
    written = DataSet.read(data.data.written())
    again = prepare(written, seed=99, root=NO_DATA)
    assert again.data == data.data


def test_given_numbers_are_used_as_they_are() -> None:
    given = {"mean": [0.25], "std": [0.75]}
    assert preprocessing(name="digits", normalize=given).normalize == Normalize(**given)
    assert preprocessing(name="digits", normalize=None).normalize is None


def test_target_values_are_normalised_unless_told_not_to() -> None:
    data = prepared(name="diabetes")
    assert isinstance(data.data, RegressionSet)
    assert data.data.normalize_targets == normalization_of([data.splits.train.targets])
    assert preprocessing(name="diabetes", normalize_targets=None).normalize_targets == {}
    assert preprocessing(name="moons").normalize_targets == {}


def test_too_few_samples_for_a_batch_are_a_fault_where_part_batches_are_dropped() -> None:
    with pytest.raises(FaultError, match="1293 training samples do not fill a batch of 1294") as e:
        prepared(name="digits", batch_size=1294, drop_last=True)
    assert e.value.exit_code is ExitCode.DATA
    prepared(name="digits", batch_size=1293, drop_last=True)
    prepared(name="digits", batch_size=1294)
    prepared(name="digits", batch_size="all", drop_last=True)


def test_values_are_cut_at_random() -> None:
    samples = Samples(torch.arange(20.0)[:, None], torch.arange(20.0)[:, None])
    kept, held = cut(samples, kind="values", held_out=5, seed=0)
    assert sorted([*kept.targets.flatten(), *held.targets.flatten()]) == list(range(20))
    assert held.targets.flatten().tolist() != [0, 1, 2, 3, 4]


def test_labels_are_cut_alike() -> None:
    labels = (torch.arange(40)[:, None] % torch.tensor([2, 4, 8]) == 0).float()
    samples = Samples(torch.arange(40.0)[:, None], labels)
    _, held = cut(samples, kind="labels", held_out=8, seed=0)
    assert held.targets.sum(dim=0).tolist() == [4, 2, 1]


def test_another_number_of_samples_than_described_is_a_data_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = DataSet.read("digits")
    few = data.load("train", root=NO_DATA).take(np.arange(100))
    monkeypatch.setattr(type(data), "read_original", lambda *_, **__: few)
    with pytest.raises(FaultError, match="digits has 100 training samples, not 1,437") as error:
        prepare(data, seed=0, root=NO_DATA)
    assert error.value.exit_code is ExitCode.DATA


def test_statistics_that_were_not_measured_are_a_fault() -> None:
    with pytest.raises(FaultError, match="have not been measured") as error:
        Preprocessing.of(DataSet.read("digits"))
    assert error.value.exit_code is ExitCode.DATA


@pytest.mark.parametrize("name", ["train", "validation", "test"])
@pytest.mark.parametrize("kind", ["digits", "diabetes"])
def test_a_split_that_is_read_alone_is_the_same(kind: str, name: SplitName) -> None:
    data = DataSet.read(kind)
    alone = read_split(data, name, seed=3, root=NO_DATA)
    together = getattr(prepare(data, seed=3, root=NO_DATA).splits, name)
    assert torch.equal(inputs_of(alone), inputs_of(together))
    assert torch.equal(alone.targets, together.targets)


def test_the_splits_of_a_file_share_its_pixels() -> None:
    splits = prepared(name="digits").splits
    assert splits.train.samples is splits.validation.samples


def write_idx(folder: Path, stem: str, count: int, shape: tuple[int, int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    head = struct.pack(">4I", 0x803, count, *shape)
    pixels = bytes(range(256)) * (count * prod(shape) // 256 + 1)
    (folder / f"{stem}-images-idx3-ubyte").write_bytes(head + pixels[: count * prod(shape)])
    labels = struct.pack(">2I", 0x801, count) + bytes(range(10)) * (count // 10)
    (folder / f"{stem}-labels-idx1-ubyte").write_bytes(labels)


MEASURE = """
import resource, sys
from pathlib import Path
import torch, torchvision  # what reading imports
from cnnctl.data.preparation import prepare
from cnnctl.data.samples import DatasetInfo
from cnnctl.data.sources.mnist import Mnist

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

Mnist.sums = {"none": ""}
folder, small = map(Path, sys.argv[1:])
Mnist.original = lambda self: DatasetInfo((1, 1, 1), tuple("0123456789"), 10, 60_000)
prepare(Mnist(), seed=0, root=small)  # what torch takes at its first operations
Mnist.original = lambda self: DatasetInfo((1, 28, 28), tuple("0123456789"), 10, 60_000)
before = peak()
prepare(Mnist(), seed=0, root=folder)
print((peak() - before) * 1024)
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count in other units")
def test_preparing_takes_little_more_memory_than_the_data(tmp_path: Path) -> None:
    for size, shape in (("small", (1, 1)), ("large", (28, 28))):
        for stem, count in (("train", 60_000), ("t10k", 10_000)):
            write_idx(tmp_path / size / "MNIST" / "raw", stem, count, shape)
    images = 70_000 * 28 * 28
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path / "large", tmp_path / "small"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1.2 * images
