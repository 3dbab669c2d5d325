from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.transforms.v2 import functional as transforms

from cnnctl.config.choice import Choice
from cnnctl.data import sources
from cnnctl.data.dataset import DataSet, check_names
from cnnctl.data.image_set import ImageSet, resized
from cnnctl.data.samples import DatasetInfo, Samples
from cnnctl.errors import ExitCode, FaultError
from cnnctl.target import Target
from tests.data.conftest import inputs_of, shortest

assert sources

NO_DATA = Path("there-is-no-such-folder")
KINDS = sorted(DataSet.kinds)
STORED = [kind for kind in KINDS if kind != "memory"]  # which has the samples that it is given


def test_all_the_data_sets_are_there() -> None:
    torchvision = {"mnist", "fashion_mnist", "kmnist", "emnist", "cifar10", "cifar100", "svhn"}
    assert {"digits", "diabetes", "moons", "circles", "spirals", "xor"} | torchvision <= set(KINDS)
    assert Choice.families["datasets"] is DataSet


@pytest.mark.parametrize("kind", KINDS)
def test_a_data_set_is_described_without_touching_it(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "open", None)
    described = DataSet.read(shortest(kind)).describe()
    assert described.outputs == (len(described.class_names) or 1)
    assert len(set(described.class_names)) == len(described.class_names)
    assert len(described.shape) in (1, 2, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_every_data_set_can_be_written_and_read_back(kind: str) -> None:
    data = DataSet.read(shortest(kind))
    assert DataSet.read(data.written()) == data


def test_the_training_samples_are_those_left_by_validation() -> None:
    assert DataSet.read("mnist").describe().train_samples == 54_000
    assert DataSet.read({"name": "mnist", "validation": 0}).describe().train_samples == 60_000


@pytest.mark.parametrize("share", [0.00001, 0.99999])
def test_a_share_that_leaves_a_split_empty_is_a_fault(share: float) -> None:
    with pytest.raises(FaultError, match="leaves none") as error:
        DataSet.read({"name": "digits", "validation": share}).describe()
    assert error.value.faults[0].path == ("validation",)
    assert error.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c", "d"), ()])
def test_every_class_and_label_is_named(names: tuple[str, ...]) -> None:
    other = Target("other", ("a", "b"), 2)
    for is_multilabel in (True, False):
        wrong = Target("wrong", names, 3, is_multilabel)
        described = DatasetInfo((4,), ("x",), 1, 10, others=(other, wrong))
        if wrong.kind == "values":
            check_names(described)
            continue
        with pytest.raises(FaultError, match=f"wrong has 3 outputs, but {len(names)} names of"):
            check_names(described)


def test_numbers_for_other_channels_are_a_fault_at_their_place() -> None:
    normalize = {"mean": [0.5, 0.5, 0.5], "std": [0.5]}
    with pytest.raises(FaultError, match="3 numbers, but 1 needed") as error:
        DataSet.read({"name": "mnist", "normalize": normalize}).describe()
    assert error.value.faults[0].path == ("normalize", "mean")


@pytest.mark.parametrize(("size", "shape"), [(32, (1, 32, 32)), ([12, 20], (1, 12, 20))])
def test_a_size_is_described_and_kept(size: int | list[int], shape: tuple[int, int, int]) -> None:
    data = DataSet.read({"name": "digits", "size": size})
    assert data.describe().shape == shape
    assert data.load("test", root=NO_DATA).inputs.shape == (360, *shape)


@pytest.mark.parametrize("size", [(4, 4), (11, 6), (20, 20)])
def test_images_are_resized_as_torchvision_does_it(size: tuple[int, int]) -> None:
    images = torch.randint(0, 256, (6, 3, 8, 8), dtype=torch.uint8)
    expected = transforms.resize(images, list(size), antialias=True)
    assert torch.equal(resized(images, size), expected)


def test_images_of_the_right_size_are_not_touched() -> None:
    images = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    assert resized(images, (8, 8)) is images


@pytest.mark.parametrize(
    "options",
    [
        {"name": "fake", "shape": [1_000_000], "samples": 10_000_000},
        {"name": "fake", "shape": [1000, 1000, 100], "samples": 100_000},
        {"name": "mnist", "size": 4096},
        {"name": "cifar10", "size": [4096, 4096]},
        {"name": "emnist", "split": "byclass", "size": 2000},
    ],
)
def test_more_numbers_than_memory_can_hold_are_refused_before_they_are_made(
    options: dict[str, Any],
) -> None:
    with pytest.raises(FaultError, match="numbers, more than the limit of 1e\\+11") as error:
        DataSet.read(options).describe()
    assert error.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("kind", STORED)
def test_only_data_sets_that_are_not_read_from_files_load_without_a_folder(
    kind: str, tmp_path: Path
) -> None:
    data = DataSet.read(shortest(kind))
    if data.has_files:
        with pytest.raises(FaultError, match=r"not found: no |no such f"):
            data.load("train", root=tmp_path, download=False)
    else:
        assert len(data.load("train", root=NO_DATA))


WITHOUT_FILES = [kind for kind in STORED if not DataSet.read(shortest(kind)).has_files]


@pytest.mark.parametrize("kind", WITHOUT_FILES)
def test_no_test_sample_is_a_training_sample(kind: str) -> None:
    data = DataSet.read(shortest(kind))
    if not data.whole().has_test:
        return
    if kind == "fake":
        data = data.model_copy(update={"shape": [3, 16, 16]})
    train, test = (
        {(*row.tolist(),) for row in inputs_of(data.load(split, root=NO_DATA)).flatten(1)}
        for split in ("train", "test")
    )
    assert not train & test


OTHER_DTYPES = [torch.float64, torch.int32, torch.uint8, torch.bool]


@pytest.mark.parametrize("size", [None, 6])
@pytest.mark.parametrize("dtype", OTHER_DTYPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_inputs_of_other_dtypes_end_as_documented(
    kind: str, dtype: torch.dtype, size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataSet.read(shortest(kind))
    is_resized = size is not None and isinstance(data, ImageSet)
    if is_resized:
        data = data.model_copy(update={"size": size})
    info = data.original() if isinstance(data, ImageSet) else data.whole()
    inputs = (torch.arange(4).view(4, *[1] * len(info.shape)) % 2).expand(4, *info.shape).to(dtype)
    known = {
        target.name: torch.arange(4) % 2
        if target.kind == "class"
        else torch.ones(4, target.outputs)
        for target in info.targets
    }
    samples = Samples(inputs, known.pop(info.target), known)
    read = "read_original" if isinstance(data, ImageSet) else "read_split"
    monkeypatch.setattr(type(data), read, lambda *_, **__: samples)
    found = inputs_of(data.load("train", root=NO_DATA))
    is_whole = len(info.shape) == 3 and dtype in (torch.int32, torch.uint8)
    assert found.dtype == (torch.uint8 if is_whole else torch.float32)
    assert found.shape[1:] == data.whole().shape
    if not is_resized:
        assert torch.equal(found.double(), inputs.double())
