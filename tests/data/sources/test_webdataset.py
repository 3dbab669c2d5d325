import json
import os
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cnnctl.data.cache_folder import SHARD
from cnnctl.data.device_store import DeviceStore
from cnnctl.data.loader import training_batches
from cnnctl.data.preparation import prepare
from cnnctl.data.samples import Samples
from cnnctl.data.shards import source
from cnnctl.data.sources.webdataset import WebDataset, split_of
from cnnctl.errors import ExitCode, FaultError
from tests.conftest import Cli
from tests.shards import picture, write_shards, write_tar

SPLIT = ("train-0.tar", "train-1.tar", "val-0.tar", "test-0.tar")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CNNCTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def surveyed(path: Path | str, **options: Any) -> WebDataset:
    return WebDataset(path=str(path), **options).surveyed(Path(), seed=0)


def pixels_of(samples: Samples) -> torch.Tensor:
    return samples.rows.take(torch.arange(len(samples)))


def test_shards_of_splits_are_the_splits(tmp_path: Path) -> None:
    parts = prepare(surveyed(write_shards(tmp_path / "pets", SPLIT)), seed=0).splits
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [20, 10, 10]
    assert parts.test.targets.tolist() == [0, 1] * 5


def test_without_them_records_are_cut(tmp_path: Path) -> None:
    data = surveyed(write_shards(tmp_path / "pets", ["0.tar", "1.tar"]), test=0.2)
    assert data.known_samples.model_dump() == {"train": 14, "validation": 2, "test": 4}


@pytest.mark.parametrize(
    ("shard", "split"),
    [
        ("train-000.tar", "train"),
        ("val/000.tar", "validation"),
        ("a/TEST_1.tar", "test"),
        ("trainer.tar", None),
        ("0.tar", None),
    ],
)
def test_the_first_letters_name_the_split(shard: str, split: str | None) -> None:
    assert split_of(shard) == split


@pytest.mark.parametrize("rows", ["memory", "mapped", "stream"])
def test_pixels_are_those_of_the_files(rows: Any, tmp_path: Path) -> None:
    write_shards(tmp_path / "pets", ["0.tar", "1.tar"])
    data = surveyed(tmp_path / "pets" / "{0..1}.tar", test=0, rows=rows)
    samples = data.load("train", root=Path())
    with Image.open(BytesIO(picture(13))) as image:
        expected = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    assert torch.equal(pixels_of(samples)[13], expected)
    assert samples.called(13).endswith("1.tar/000013.png")


def test_a_shard_is_listed_once(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_shards(tmp_path / "pets", ["0.tar"])
    before = surveyed(root, test=0)
    monkeypatch.setattr(source, "samples_in", None)
    assert surveyed(root, test=0) == before
    [noted] = own_cache.glob(f"*{SHARD}")
    noted.write_bytes(noted.read_bytes()[:-1])  # then it is listed again
    with pytest.raises(TypeError):
        surveyed(root, test=0)


def test_numbers_are_named_by_the_classes(tmp_path: Path) -> None:
    root = write_shards(tmp_path / "pets", ["0.tar"])
    assert surveyed(root, test=0).classes == ["0", "1"]
    named = surveyed(root, test=0, classes=["cat", "dog"])
    assert named.load("train", root=Path()).targets.tolist() == [0, 1] * 5
    with pytest.raises(FaultError, match="not among data"):
        surveyed(root, test=0, classes=["cat"])


def test_classes_that_are_numbers_are_in_their_order(tmp_path: Path) -> None:
    members = []
    for at, label in enumerate(("10", "9", "2")):
        members += [(f"{at}.png", picture(at)), (f"{at}.cls", label.encode())]
    write_tar(tmp_path / "pets" / "0.tar", members)
    assert surveyed(tmp_path / "pets", test=0, validation=0).classes == ["2", "9", "10"]


def damaged(root: Path) -> Path:
    """Forty shards, of which one is cut short and one is not there."""
    write_shards(root, [f"{at:02}.tar" for at in range(40) if at != 7], samples=2)
    file = root / "03.tar"
    file.write_bytes(file.read_bytes()[:700])
    return root


def test_damaged_and_missing_shards_are_named(tmp_path: Path) -> None:
    root = damaged(tmp_path / "pets")
    with pytest.raises(FaultError) as caught:
        surveyed(root / "{00..39}.tar", test=0)
    assert caught.value.exit_code == ExitCode.DATA
    messages = [f"{fault.place}: {fault.message}" for fault in caught.value.every]
    assert messages[0].startswith(f"{root}/03.tar: is cut short") or "07.tar" in messages[0]
    assert any(message == f"{root}/07.tar: no such shard" for message in messages)
    assert "2 of 40 shards cannot be used" in str(caught.value)


def test_damaged_shards_are_skipped_as_a_whole_if_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = damaged(tmp_path / "pets")
    data = surveyed(root / "{00..39}.tar", test=0, on_error="skip")
    assert "2 files not used" in capsys.readouterr().err
    assert sorted(data.skipped) == ["03.tar", "07.tar"]
    assert len(data.load("train", root=Path())) == 76
    # one that has come back stays out, so that the run is the same
    write_shards(root, ["07.tar"], samples=2)
    assert len(data.load("train", root=Path())) == 76
    (root / "07.tar").unlink()
    with pytest.raises(FaultError, match="at most 1 may be skipped"):
        surveyed(root / "{00..39}.tar", test=0, on_error="skip", max_skipped=0.03)


def test_a_broken_picture_in_a_shard_is_named(tmp_path: Path) -> None:
    members = [("0.png", picture(0)), ("0.cls", b"a"), ("1.png", b"\x89PNG"), ("1.cls", b"b")]
    write_tar(tmp_path / "pets" / "0.tar", members)
    data = surveyed(tmp_path / "pets", test=0, validation=0, rows="stream")
    rows = data.load("train", root=Path()).rows
    with pytest.raises(FaultError, match=r"0\.tar/1\.png"):
        rows.take(torch.arange(2))


def test_a_shard_that_changes_under_a_run_is_a_fault(tmp_path: Path) -> None:
    root = write_shards(tmp_path / "pets", ["0.tar"])
    rows = surveyed(root, test=0, rows="stream").load("train", root=Path()).rows
    os.utime(root / "0.tar", ns=(0, 1))
    with pytest.raises(FaultError, match="has changed since it was listed"):
        rows.take(torch.arange(1))


def test_a_shuffle_buffer_is_the_order_of_training(tmp_path: Path) -> None:
    root = write_shards(tmp_path / "pets", [f"train-{at}.tar" for at in range(5)])
    data = surveyed(root, validation=0, shuffle_buffer=1)
    train = prepare(data, seed=0).splits.train
    store = DeviceStore(train.samples, device=torch.device("cpu"))
    batches = training_batches(data, store, train, seed=0)
    shards = [(batches.order(epoch) // 10).tolist() for epoch in range(2)]
    assert shards[0] != shards[1]
    for each in shards:
        assert [len(list(run)) for _, run in groupby(each)] == [10] * 5


def test_a_buffer_and_balanced_classes_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="cannot be combined"):
        WebDataset(path="x", sampler="balanced", shuffle_buffer=100)


def test_a_shard_that_is_a_link_to_elsewhere_is_missing(tmp_path: Path) -> None:
    root = write_shards(tmp_path / "pets", ["0.tar"])
    write_shards(tmp_path / "elsewhere", ["1.tar"])
    (root / "1.tar").symlink_to(tmp_path / "elsewhere" / "1.tar")
    with pytest.raises(FaultError, match="link to a folder, or to a file outside"):
        surveyed(root / "{0..1}.tar", test=0)


CONFIG = """\
data: {name: webdataset, path: "pets/{train-{0..1},val-0,test-0}.tar", rows: stream,
  workers: 1, batch_size: 4}
model:
  layers: [conv: {out_channels: 2, kernel_size: 3}, relu, flatten, linear: classes]
optimizer: {name: adam, lr: 0.01}
train: {epochs: 2}
"""


def test_shards_are_trained_on_and_found_elsewhere(quick_cli: Cli, tmp_path: Path) -> None:
    write_shards(tmp_path / "pets", SPLIT)
    (tmp_path / "pets.yaml").write_text(CONFIG)
    trained = quick_cli("train", "pets.yaml")
    assert trained.returncode == 0, trained.stderr
    assert "webdataset: 20 train, 10 validation, 10 test" in trained.stdout
    measured = quick_cli("eval", "runs/pets", "--json")
    assert json.loads(measured.stdout)["samples"] == 10
    (tmp_path / "pets").rename(tmp_path / "moved")
    missing = quick_cli("eval", "runs/pets")
    assert missing.returncode == ExitCode.DATA
    assert "no such folder" in missing.stderr
    assert quick_cli("eval", "runs/pets", "--json", "--data", "moved").stdout == measured.stdout


def test_a_network_of_shards_answers_for_pictures(quick_cli: Cli, tmp_path: Path) -> None:
    write_shards(tmp_path / "pets", SPLIT)
    (tmp_path / "pets.yaml").write_text(CONFIG)
    assert quick_cli("train", "pets.yaml").returncode == 0
    (tmp_path / "a.png").write_bytes(picture(0))
    answered = quick_cli("predict", "runs/pets", "a.png", "--jsonl")
    assert answered.returncode == 0, answered.stderr
    assert set(json.loads(answered.stdout)["probabilities"]) == {"0", "1"}
