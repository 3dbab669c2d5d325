import gc
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cnnctl.data import picture_set
from cnnctl.data.device_store import DeviceStore
from cnnctl.data.loader import Batches
from cnnctl.data.pictures import decoders
from cnnctl.data.preparation import prepare
from cnnctl.data.residence import picture_residence
from cnnctl.data.samples import Samples
from cnnctl.data.sources.image_folder import ImageFolder
from cnnctl.errors import ExitCode, FaultError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CNNCTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Forty pictures of noise, half of them cats."""
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(20):
            pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{number:02}.png")
    return tmp_path / "pets"


def surveyed(root: Path, **options: Any) -> ImageFolder:
    return ImageFolder(path=str(root), test=0, **options).surveyed(Path(), seed=0)


def loaded(root: Path, **options: Any) -> Samples:
    return surveyed(root, **options).load("train", root=Path())


@pytest.mark.parametrize("workers", ["auto", 2])
def test_a_stream_has_the_pixels_of_the_cache_in_any_order(workers: Any, pets: Path) -> None:
    streamed = loaded(pets, rows="stream", workers=workers)
    cached = loaded(pets, rows="mapped")
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    assert torch.equal(streamed.rows.take(order), cached.rows.take(order))
    assert streamed.targets.equal(cached.targets)


def test_a_stream_writes_nothing(pets: Path, own_cache: Path) -> None:
    loaded(pets, rows="stream").rows.take(torch.arange(40))
    assert not own_cache.exists()


def test_an_epoch_has_every_sample_once_and_goes_on_anywhere(pets: Path) -> None:
    samples = loaded(pets, rows="stream", workers=2)
    batches = Batches(DeviceStore(samples, device=torch.device("cpu")), batch_size=7, seed=3)
    whole = [inputs for inputs, _ in batches.epoch(2)]
    assert len({each.numpy().tobytes() for each in torch.cat(whole)}) == 40
    for (inputs, _), expected in zip(batches.epoch(2, start=4), whole[4:], strict=True):
        assert torch.equal(inputs, expected)


def test_a_broken_picture_is_named_when_it_is_met(pets: Path) -> None:
    (pets / "dog" / "07.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    rows = loaded(pets, rows="stream", workers=1, size=8, mode="RGB").rows
    rows.take(torch.arange(27))
    with pytest.raises(FaultError, match=r"dog/07\.png") as caught:
        rows.take(torch.arange(40))
    assert caught.value.exit_code == ExitCode.DATA
    assert "on_error=skip" in str(caught.value)


def test_broken_pictures_are_skipped_if_asked(
    pets: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (pets / "dog" / "07.png").write_bytes(b"")
    data = surveyed(pets, rows="stream", on_error="skip")
    assert data.skipped == ["dog/07.png"]
    assert "skipped 1 picture" in capsys.readouterr().err
    # what is known is not looked for again
    monkeypatch.setattr("cnnctl.data.pictures.streamed.StreamedRows.broken", None)
    prepared = prepare(data, seed=0)
    assert len(prepared.splits.train) + len(prepared.splits.validation) == 39
    assert prepared.splits.train.samples.rows.take(torch.arange(39)).shape == (39, 3, 8, 8)


def test_more_broken_pictures_than_may_be_skipped_stop(pets: Path) -> None:
    for number in range(3):
        (pets / "dog" / f"{number:02}.png").write_bytes(b"")
    with pytest.raises(FaultError, match="3 of 40 pictures cannot be decoded"):
        surveyed(pets, rows="stream", on_error="skip")


def test_other_files_are_another_split(pets: Path) -> None:
    before = loaded(pets, rows="stream").identity
    assert loaded(pets, rows="stream").identity == before
    (pets / "cat" / "00.png").write_bytes(b"shorter")
    assert loaded(pets, rows="stream", mode="RGB", size=8).identity != before


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that decode."""
    found: list[subprocess.Popen[bytes]] = []
    start = decoders.Decoders._start

    def noted(self: decoders.Decoders) -> subprocess.Popen[bytes]:
        found.append(start(self))
        return found[-1]

    monkeypatch.setattr(decoders.Decoders, "_start", noted)
    return found


def test_a_decoder_that_ends_is_a_fault_that_names_the_picture(
    pets: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    rows = loaded(pets, rows="stream", workers=1).rows
    rows.take(torch.arange(1))
    os.kill(started[0].pid, signal.SIGKILL)
    started[0].wait()
    with pytest.raises(FaultError, match=r"cat/05\.png.*SIGKILL"):
        rows.take(torch.tensor([5]))


def test_decoders_end_with_the_rows(pets: Path, started: list[subprocess.Popen[bytes]]) -> None:
    rows = loaded(pets, rows="stream", workers=1).rows
    rows.take(torch.arange(1))
    assert started[0].poll() is None
    del rows
    gc.collect()
    assert started[0].poll() is not None


def test_statistics_of_a_stream_are_those_of_a_part(
    pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepare(surveyed(pets, rows="memory"), seed=0).data.normalize
    assert prepare(surveyed(pets, rows="stream"), seed=0).data.normalize == whole
    monkeypatch.setattr(picture_set, "MEASURED", 10)
    assert prepare(surveyed(pets, rows="stream"), seed=0).data.normalize != whole


def test_an_archive_that_is_read_from_front_to_back_is_not_streamed(
    pets: Path, tmp_path: Path
) -> None:
    archive = shutil.make_archive(str(tmp_path / "archive"), "tar", pets)
    with pytest.raises(FaultError, match="read from front to back"):
        loaded(Path(archive), rows="stream")


@pytest.mark.parametrize(
    ("size", "kept"), [(25, "memory"), (26, "mapped"), (500, "mapped"), (501, "stream")]
)
def test_what_fits_neither_in_memory_nor_on_the_disk_is_streamed(
    size: int, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnctl.data.residence.machine_memory", lambda: 100)
    assert picture_residence(size, disk=1000) == kept


def test_auto_is_written_as_stream(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert surveyed(pets).rows == "auto"
    monkeypatch.setattr("cnnctl.data.residence.machine_memory", lambda: 100)
    monkeypatch.setattr(picture_set, "cache_disk", lambda: 1000)
    assert surveyed(pets).rows == "stream"
    assert surveyed(pets, rows="mapped").rows == "mapped"
