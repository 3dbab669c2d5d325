import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from cnnctl.data.file_tree import FileTree
from cnnctl.data.pictures import cache, decoder, orders
from cnnctl.data.preparation import prepare
from cnnctl.data.records import Record
from cnnctl.data.samples import Samples
from cnnctl.data.sources.image_folder import ImageFolder
from cnnctl.errors import ExitCode, FaultError
from tests.conftest import Cli


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CNNCTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def noise(seed: int, *, height: int = 8, width: int = 8) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write(root: Path, counts: Mapping[str, int], *, suffix: str = "png", **size: int) -> Path:
    """So many pictures of noise in each of these folders."""
    seed = 0
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            seed += 1
            Image.fromarray(noise(seed, **size)).save(root / folder / f"{number:03}.{suffix}")
    return root


SPLIT = {
    **{f"train/{name}": 6 for name in ("cat", "dog")},
    **{f"val/{name}": 2 for name in ("cat", "dog")},
    **{f"test/{name}": 3 for name in ("cat", "dog")},
}


def surveyed(root: Path, **options: Any) -> ImageFolder:
    return ImageFolder(path=str(root), **options).surveyed(Path(), seed=0)


def pixels_of(samples: Samples) -> torch.Tensor:
    return samples.rows.take(torch.arange(len(samples)))


def test_folders_of_splits_are_the_splits(tmp_path: Path) -> None:
    data = surveyed(write(tmp_path / "pets", SPLIT))
    described = data.describe()
    assert described.class_names == ("cat", "dog")
    assert (described.shape, described.train_samples) == ((3, 8, 8), 12)
    prepared = prepare(data, seed=0)
    parts = prepared.splits
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [12, 4, 6]
    assert parts.validation.targets.tolist() == [0, 0, 1, 1]
    files = sorted((tmp_path / "pets" / "val").rglob("*.png"))
    held_out = parts.validation.samples.rows.take(parts.validation.positions)
    for file, pixels in zip(files, held_out, strict=True):
        assert np.array_equal(np.asarray(Image.open(file)), pixels.permute(1, 2, 0))


def test_without_them_a_test_and_a_validation_split_are_cut_off(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", {"cat": 40, "dog": 60})
    data = surveyed(root)
    assert data.samples is not None
    assert (data.samples.train, data.samples.validation, data.samples.test) == (77, 8, 15)
    parts = prepare(data, seed=0).splits
    assert torch.bincount(parts.test.targets).tolist() == [6, 9]
    assert torch.bincount(parts.validation.targets).tolist() == [3, 5]
    # the test split is the same for every seed, so that results compare
    other = ImageFolder(path=str(root)).surveyed(Path(), seed=5)
    assert other.load("test", root=Path()).identity == data.load("test", root=Path()).identity


@pytest.mark.parametrize("test", [0, 0.5])
def test_the_test_share_can_be_chosen(test: float, tmp_path: Path) -> None:
    data = surveyed(write(tmp_path / "pets", {"cat": 10, "dog": 10}), test=test)
    assert data.samples is not None
    assert data.samples.test == 20 * test
    assert data.whole().has_test == (test > 0)


def test_a_second_test_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="a test split of its own, of 6 samples") as error:
        surveyed(write(tmp_path / "pets", SPLIT), test=0.2)
    assert error.value.faults[0].path == ("test",)


def test_groups_stay_together(tmp_path: Path) -> None:
    counts = {f"{name}/patient{number}": 4 for name in ("ill", "well") for number in range(10)}
    root = write(tmp_path / "scans", counts)
    data = surveyed(root, group="folder", validation=0.2)
    parts = prepare(data, seed=0).splits
    assert len(parts.train) + len(parts.validation) + len(parts.test) == 80
    splits = (parts.train, parts.validation, parts.test)
    found = [{part.samples.groups[at] for at in part.positions} for part in splits]  # type: ignore[index]
    assert all(found)
    assert not found[0] & found[1] | found[0] & found[2] | found[1] & found[2]
    described = data.describe()
    assert described.train_samples == len(parts.train)


def test_names_that_begin_alike_can_be_groups(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    for name in ("ill", "well"):
        (root / name).mkdir(parents=True)
        for number in range(20):
            Image.fromarray(noise(number)).save(root / name / f"p{number % 5}_{number}.png")
    samples = surveyed(root, group="prefix").load("train", root=Path())
    assert samples.groups is not None
    assert set(samples.groups) <= {f"p{number}" for number in range(5)}


def with_copies(root: Path) -> Path:
    """Forty pictures of each class, of which ten are three times there."""
    write(root, {"cat": 40, "dog": 40})
    for number in range(10):
        original = root / "cat" / f"{number:03}.png"
        for copy in (root / "cat" / f"copy{number}.png", root / "dog" / f"copy{number}.png"):
            shutil.copy(original, copy)
    return root


def splits_by_content(data: ImageFolder, *, seed: int) -> list[set[bytes]]:
    parts = prepare(data, seed=seed).splits
    return [
        {bytes(pixels.numpy()) for chunk in part.chunks() for pixels in chunk}
        for part in (parts.train, parts.validation, parts.test)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_copies_stay_in_one_split(seed: int, tmp_path: Path) -> None:
    root = with_copies(tmp_path / "pets")
    torn = ImageFolder(path=str(root), validation=0.3).surveyed(Path(), seed=seed)
    train, validation, test = splits_by_content(torn, seed=seed)
    assert train & validation | train & test | validation & test
    data = ImageFolder(path=str(root), validation=0.3, group_copies=True)
    data = data.surveyed(Path(), seed=seed)
    train, validation, test = splits_by_content(data, seed=seed)
    assert not train & validation | train & test | validation & test
    assert len(train) + len(validation) + len(test) == 80
    # whoever reads the experiment later gets the same splits
    again = ImageFolder.model_validate(data.model_dump(exclude={"name"}))
    assert again.load("test", root=Path()).identity == data.load("test", root=Path()).identity
    assert splits_by_content(again, seed=seed) == [train, validation, test]


def test_eval_and_resume_cut_with_the_same_copies(quick_cli: Cli, tmp_path: Path) -> None:
    with_copies(tmp_path / "pets")
    text = "data: {name: image_folder, path: pets, group_copies: true, batch_size: 8}\n"
    text += "model: {layers: [flatten, linear: classes]}\noptimizer: sgd\ntrain: {epochs: 1}\n"
    (tmp_path / "pets.yaml").write_text(text, encoding="utf-8")
    trained = quick_cli("train", "pets.yaml")
    assert trained.returncode == 0, trained.stderr
    result = json.loads((tmp_path / "runs/pets/result.json").read_text(encoding="utf-8"))
    measured = json.loads(quick_cli("eval", "runs/pets", "--json").stdout)
    assert measured["loss"] == pytest.approx(result["test"]["loss"])
    resumed = quick_cli("train", "--resume", "runs/pets", "train.epochs=2")
    assert resumed.returncode == 0, resumed.stderr
    (tmp_path / "pets" / "cat" / "copy0.png").unlink()
    changed = quick_cli("train", "--resume", "runs/pets", "train.epochs=3")
    assert changed.returncode == ExitCode.DATA


def test_copies_and_groups_stay_together(tmp_path: Path) -> None:
    root = write(tmp_path / "scans", {f"{c}/p{n}": 3 for c in ("ill", "well") for n in range(8)})
    shutil.copy(root / "ill" / "p0" / "000.png", root / "ill" / "p1" / "copy.png")
    data = surveyed(root, group="folder", group_copies=True, validation=0.3)
    parts = prepare(data, seed=0).splits
    for patients in (("ill/p0", "ill/p1"), ("well/p3",)):
        names = [
            [part.samples.called(int(at)) for at in part.positions]
            for part in (parts.train, parts.validation, parts.test)
        ]
        holding = [any(p in name for name in own for p in patients) for own in names]
        assert sum(holding) == 1


def test_without_copies_the_cut_is_as_without_the_option(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", {"cat": 20, "dog": 20})
    identities = [
        surveyed(root, group_copies=each).load("test", root=Path()).identity
        for each in (False, True)
    ]
    assert identities[0] == identities[1]


def listed(folder: Path, splits: Mapping[str, Iterable[int]]) -> None:
    """Lists of the pictures of these numbers, of both classes."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, numbers in splits.items():
        lines = [f"{name}/{number:03}" for name in ("cat", "dog") for number in numbers]
        (folder / f"{split}.txt").write_text("\n".join(lines))


LISTED = {"train": range(2, 10), "validation": range(10, 12), "test": range(12, 18)}


def test_lists_of_files_give_the_splits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write(tmp_path / "pets", {"cat": 20, "dog": 20})
    listed(tmp_path, LISTED)
    lists = {split: str(tmp_path / f"{split}.txt") for split in LISTED}
    data = surveyed(root, splits=lists)
    assert "note: 8 files not used, the first: " in capsys.readouterr().err
    parts = prepare(data, seed=0).splits
    for part, numbers in zip(
        (parts.train, parts.validation, parts.test), LISTED.values(), strict=True
    ):
        names = [Path(part.samples.called(int(at))).stem for at in part.positions]
        assert sorted(set(map(int, names))) == list(numbers)
    del lists["validation"], lists["test"]
    data = surveyed(root, splits=lists, validation=0.25)
    assert data.samples is not None
    assert (data.samples.train, data.samples.validation, data.samples.test) == (12, 4, 0)


def test_lists_and_other_test_splits_exclude_each_other(tmp_path: Path) -> None:
    listed(tmp_path, {"train": range(2)})
    lists = {"train": str(tmp_path / "train.txt")}
    with pytest.raises(ValueError, match="splits and test cannot be combined"):
        ImageFolder.model_validate({"path": "pets", "splits": lists, "test": 0.2})
    with pytest.raises(FaultError, match="the folders of the data give its splits already"):
        surveyed(write(tmp_path / "pets", SPLIT), splits=lists)


def test_a_run_is_not_resumed_with_other_lists(quick_cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "configs" / "pets", {"cat": 20, "dog": 20})
    listed(tmp_path / "configs" / "meta", LISTED)
    lists = ", ".join(f"{split}: meta/{split}.txt" for split in LISTED)
    text = CONFIG.replace("pets,", f"pets, splits: {{{lists}}},")
    (tmp_path / "configs" / "pets.yaml").write_text(text)
    trained = quick_cli("train", "configs/pets.yaml")
    assert trained.returncode == 0, trained.stderr
    assert "image_folder: 16 train, 4 validation, 12 test" in trained.stdout
    assert quick_cli("eval", "runs/pets").returncode == 0
    # as many samples in each split, but two have changed places
    moved = {"train": range(3, 11), "validation": [2, 11]}
    listed(tmp_path / "configs" / "meta", moved)
    resumed = quick_cli("train", "--resume", "runs/pets", "train.epochs=3")
    assert resumed.returncode == ExitCode.DATA
    assert "the train split has changed since the run was started" in resumed.stderr
    listed(tmp_path / "configs" / "meta", LISTED)
    assert quick_cli("train", "--resume", "runs/pets", "train.epochs=3").returncode == 0
    (tmp_path / "configs" / "meta" / "test.txt").unlink()
    missing = quick_cli("eval", "runs/pets")
    assert missing.returncode == ExitCode.DATA
    assert "test.txt: no such file" in missing.stderr


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar"])
def test_an_archive_is_read_in_place(kind: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "all" / "pets", SPLIT)
    archive = Path(shutil.make_archive(str(tmp_path / "pets"), kind, tmp_path / "all"))
    expected = surveyed(folder).load("train", root=Path())
    found = surveyed(archive).load("train", root=Path())
    assert torch.equal(pixels_of(found), pixels_of(expected))
    assert torch.equal(found.targets, expected.targets)
    assert {path.name for path in tmp_path.iterdir()} == {"all", archive.name, "cache"}


def test_what_is_not_used_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write(tmp_path / "pets", {"cat": 5, "dog": 5})
    surveyed(root)
    assert capsys.readouterr().err == ""
    Image.fromarray(noise(1)).save(root / "cover.png")
    (root / "dog" / "link.png").symlink_to(tmp_path / "elsewhere.png")
    surveyed(root)
    assert "note: 2 files not used, the first: " in capsys.readouterr().err


def test_training_lists_the_files_once_and_the_next_looks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, listed, scandir = write(tmp_path / "pets", SPLIT), list[Path](), os.scandir

    def counted(path: Path) -> Any:
        listed.append(path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", counted)
    assert len(prepare(surveyed(root), seed=0).splits.train) == 12
    assert listed.count(root / "") == 1
    write(root, {"train/cat": 7})
    assert len(prepare(surveyed(root), seed=0).splits.train) == 13


def test_files_are_divided_once_unless_the_options_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, divided, records = (
        write(tmp_path / "pets", {"a": 20, "b": 20}),
        list[str](),
        ImageFolder.records,
    )

    def counted(data: ImageFolder, tree: FileTree) -> list[Record]:
        divided.append(str(data.test))
        return records(data, tree)

    monkeypatch.setattr(ImageFolder, "records", counted)
    data = surveyed(root, test=0.1)
    read = {share: data.model_copy(update={"test": share}) for share in (0.1, 0.2)}
    sizes = [len(each.load("test", root=Path(), download=False)) for each in read.values()]
    assert sizes == [4, 8]
    prepare(data, seed=0)
    assert divided == ["0.1", "0.2", "0.1"]


def test_pictures_of_several_sizes_are_brought_to_one(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", {"cat": 5}, height=40, width=70)
    write(root, {"dog": 5}, height=50, width=20, suffix="jpg")
    assert surveyed(root).size == (48, 48)
    assert surveyed(root, size=20).describe().shape == (3, 20, 20)
    assert surveyed(root, size=(10, 30), mode="L").describe().shape == (1, 10, 30)


def test_grey_pictures_keep_one_channel(tmp_path: Path) -> None:
    root = tmp_path / "digits"
    for name in ("0", "1"):
        (root / name).mkdir(parents=True)
        for number in range(5):
            Image.fromarray(noise(number)).convert("L").save(root / name / f"{number}.png")
    assert surveyed(root).describe().shape == (1, 8, 8)
    Image.fromarray(noise(9)).save(root / "1" / "colour.png")
    assert surveyed(root).describe().shape == (3, 8, 8)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "has no pictures among 0 files"),
        ({"cat": 5}, "has pictures of only one class, cat"),
        ({"train/cat": 5, "train/dog": 5, "test/dgo": 5}, "is of class dgo, which the training"),
    ],
)
def test_a_folder_that_teaches_nothing_is_refused(
    counts: dict[str, int], message: str, tmp_path: Path
) -> None:
    (tmp_path / "pets").mkdir()
    with pytest.raises(FaultError, match=message) as error:
        surveyed(write(tmp_path / "pets", counts))
        prepare(surveyed(tmp_path / "pets"), seed=0)
    assert error.value.exit_code is ExitCode.DATA
    assert error.value.faults[0].hint


def spoil(root: Path) -> None:
    (root / "cat" / "000.png").write_bytes(b"")
    (root / "dog" / "001.png").write_bytes((root / "dog" / "002.png").read_bytes()[:-60])
    (root / "dog" / "003.png").write_text("no picture")


def test_every_broken_picture_is_named(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", {"cat": 20, "dog": 20})
    spoil(root)
    with pytest.raises(FaultError) as error:
        prepare(surveyed(root, test=0), seed=0)
    *pictures, last = error.value.faults
    assert [Path(fault.place).name for fault in pictures] == ["000.png", "001.png", "003.png"]
    assert "3 of 40 pictures cannot be decoded" in last.message
    assert error.value.exit_code is ExitCode.DATA


def test_broken_pictures_can_be_skipped_up_to_a_bound(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", {"cat": 20, "dog": 20})
    spoil(root)
    options = {"on_error": "skip", "test": 0}
    data = surveyed(root, **options, max_skipped=0.1)
    assert data.skipped == ["cat/000.png", "dog/001.png", "dog/003.png"]
    prepared = prepare(data, seed=0)
    assert len(prepared.splits.train) + len(prepared.splits.validation) == 37
    with pytest.raises(FaultError, match="3 of 40 pictures") as error:
        surveyed(root, **options, max_skipped=0.05)
    assert "at most 2 may be skipped" in error.value.faults[-1].hint


def test_what_was_decoded_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / "pets", SPLIT)
    first = prepare(surveyed(root), seed=0)
    with monkeypatch.context() as patch:
        patch.setattr(cache, "decode_to_file", None)
        again = prepare(surveyed(root), seed=0)
        assert torch.equal(
            pixels_of(first.splits.train.samples), pixels_of(again.splits.train.samples)
        )
        moved = root.rename(tmp_path / "moved")
        prepare(surveyed(moved), seed=0)
    Image.fromarray(noise(99)).save(moved / "train" / "cat" / "000.png")
    changed = prepare(surveyed(moved), seed=0).splits.train.samples
    assert np.array_equal(pixels_of(changed)[0].permute(1, 2, 0), noise(99))


@pytest.mark.parametrize("part", [cache.PIXELS, cache.INDEX])
@pytest.mark.parametrize("damage", ["cut", "flip", "delete"])
def test_a_damaged_cache_is_made_again(
    part: str, damage: str, tmp_path: Path, own_cache: Path
) -> None:
    root = write(tmp_path / "pets", {"cat": 5, "dog": 5})
    data = surveyed(root, test=0)
    expected = pixels_of(data.load("train", root=Path()))
    [file] = own_cache.glob(f"*{part}")
    content = bytearray(file.read_bytes())
    if damage == "delete":
        file.unlink()
    else:
        content[len(content) // 2] ^= 1
        file.write_bytes(content[:-5] if damage == "cut" else content)
    assert torch.equal(pixels_of(data.load("train", root=Path())), expected)


def test_damage_of_a_row_that_is_mapped_is_a_fault(tmp_path: Path, own_cache: Path) -> None:
    data = surveyed(write(tmp_path / "pets", {"cat": 5, "dog": 5}), test=0, rows="mapped")
    data.load("train", root=Path())
    [file] = own_cache.glob(f"*{cache.PIXELS}")
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)
    rows = data.load("train", root=Path()).rows
    rows.take(torch.tensor([1]))
    with pytest.raises(FaultError, match="cache of decoded pictures is damaged"):
        rows.take(torch.tensor([0]))


def test_without_a_cache_pictures_are_decoded_to_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write(tmp_path / "pets", {"cat": 5, "dog": 5})
    expected = pixels_of(surveyed(root).load("train", root=Path()))
    (tmp_path / "file").touch()
    monkeypatch.setenv("CNNCTL_CACHE", str(tmp_path / "file" / "cache"))
    assert torch.equal(pixels_of(surveyed(root).load("train", root=Path())), expected)
    assert "note: decoding to memory: the cache cannot be used" in capsys.readouterr().err


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """A disk on which no file can grow beyond so many bytes."""
    import resource  # only Unix has it

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file sizes")
@pytest.mark.parametrize("rows", ["memory", "mapped"])
def test_with_a_full_disk_pictures_are_decoded_to_memory(
    tmp_path: Path, own_cache: Path, capsys: pytest.CaptureFixture[str], rows: str
) -> None:
    root = write(tmp_path / "pets", {"cat": 5, "dog": 5})
    options = {"size": 224, "rows": rows}
    expected = pixels_of(surveyed(root, **options).load("train", root=Path()))
    shutil.rmtree(own_cache)
    with files_up_to(2**20):  # 10 pictures take 1.5 MB
        found = surveyed(root, **options).load("train", root=Path())
    assert torch.equal(pixels_of(found), expected)
    assert "note: decoding to memory: the cache cannot be used" in capsys.readouterr().err
    assert list(own_cache.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file sizes")
def test_a_full_disk_and_too_little_memory_are_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = surveyed(write(tmp_path / "pets", {"cat": 5, "dog": 5}), test=0, size=224)
    monkeypatch.setattr(cache, "machine_memory", lambda: 2**21)
    with files_up_to(2**20), pytest.raises(FaultError, match="do not fit in memory") as error:
        data.load("train", root=Path())
    assert error.value.exit_code is ExitCode.STORAGE
    assert "set CNNCTL_CACHE to another disk" in str(error.value)


def test_several_processes_decode_to_the_same_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    monkeypatch.setattr(orders, "TOGETHER", 3)
    root = write(tmp_path / "pets", {"cat": 10, "dog": 11})
    (root / "cat" / "000.png").write_bytes(b"")
    options = {"on_error": "skip", "max_skipped": 0.5, "test": 0}
    expected = surveyed(root, **options).load("train", root=Path())
    shutil.rmtree(own_cache)
    monkeypatch.setattr(decoder, "FEW", 0)
    found = surveyed(root, **options).load("train", root=Path())
    assert torch.equal(pixels_of(found), pixels_of(expected))
    assert found.identity == expected.identity


def test_a_decoder_that_dies_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = surveyed(write(tmp_path / "pets", {"cat": 5, "dog": 5}), test=0)
    monkeypatch.setattr(decoder, "FEW", 0)
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(FaultError, match="ended with exit code 1 at one of 10 files") as error:
        data.load("train", root=Path())
    assert "cat/000.png" in error.value.faults[0].hint


@pytest.mark.parametrize("group", [None, "prefix"])
def test_classes_of_a_few_pictures_are_trained_on(group: str | None, tmp_path: Path) -> None:
    root = write(tmp_path / "pets", {"cat": 12, "dog": 9, "emu": 1, "fox": 2, "gnu": 3})
    data = surveyed(root, group=group, validation=0.3, test=0.3)
    parts = prepare(data, seed=0).splits
    assert set(parts.train.targets.tolist()) == set(range(5))
    assert len(parts.test)
    assert len(parts.validation) == data.known_samples.validation > 0


CONFIG = """\
data: {name: image_folder, path: pets, batch_size: 4}
model:
  layers: [conv: {out_channels: 2, kernel_size: 3}, relu, flatten, linear: classes]
optimizer: {name: adam, lr: 0.01}
train: {epochs: 2}
"""


def test_a_folder_is_trained_evaluated_and_found_elsewhere(quick_cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "configs" / "pets", SPLIT)
    (tmp_path / "configs" / "pets.yaml").write_text(CONFIG)
    trained = quick_cli("train", "configs/pets.yaml")
    assert trained.returncode == 0, trained.stderr
    assert "image_folder: 12 train, 4 validation, 6 test" in trained.stdout
    measured = quick_cli("eval", "runs/pets", "--json")
    assert measured.returncode == 0, measured.stderr
    (tmp_path / "configs" / "pets").rename(tmp_path / "moved")
    assert quick_cli("summary", "runs/pets").returncode == 0
    missing = quick_cli("eval", "runs/pets")
    assert missing.returncode == ExitCode.DATA
    assert "no such folder or archive" in missing.stderr
    assert quick_cli("eval", "runs/pets", "--json", "--data", "moved").stdout == measured.stdout


def test_a_run_is_not_resumed_on_other_pictures(quick_cli: Cli, tmp_path: Path) -> None:
    root = write(tmp_path / "pets", SPLIT)
    (tmp_path / "pets.yaml").write_text(CONFIG)
    assert quick_cli("train", "pets.yaml").returncode == 0
    resumed = quick_cli("train", "pets.yaml", "--resume", "train.epochs=3")
    assert resumed.returncode == 0, resumed.stderr
    Image.fromarray(noise(99)).save(root / "test" / "dog" / "000.png")
    resumed = quick_cli("train", "--resume", "runs/pets", "train.epochs=4")
    assert resumed.returncode == ExitCode.DATA
    assert "the test split has changed since the run was started" in resumed.stderr
    # what has changed can still be measured
    assert quick_cli("eval", "runs/pets").returncode == 0
    (root / "train" / "dog" / "000.png").unlink()
    resumed = quick_cli("train", "--resume", "runs/pets", "train.epochs=4")
    assert resumed.returncode == ExitCode.DATA
    assert "the train split has changed since the run was started" in resumed.stderr


@pytest.mark.parametrize("rows", ["memory", "mapped", "stream"])
def test_all_kinds_of_rows_give_the_same_run(rows: str, quick_cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "pets", SPLIT)
    (tmp_path / "pets.yaml").write_text(CONFIG)
    for name in ("auto", rows):
        trained = quick_cli("train", "pets.yaml", f"name={name}", f"data.rows={name}")
        assert trained.returncode == 0, trained.stderr
    one, two = (
        [
            {key: value for key, value in json.loads(line).items() if "second" not in key}
            for line in (tmp_path / "runs" / name / "metrics.jsonl").read_text().splitlines()
        ]
        for name in ("auto", rows)
    )
    assert one == two
