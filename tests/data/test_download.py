import errno
import gzip
import hashlib
import io
import os
import socket
import struct
import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torchvision import datasets

from cnnctl.data.dataset import DataSet, data_root
from cnnctl.data.download import used_folder
from cnnctl.data.sources.mnist import Kmnist, Mnist
from cnnctl.errors import ExitCode, FaultError

PARTS = ["images-idx3", "labels-idx1"]
NAMES = [f"{stem}-{part}-ubyte" for stem in ("train", "t10k") for part in PARTS]


def content(name: str) -> bytes:
    if "images" in name:
        return struct.pack(">4I", 0x803, 20, 28, 28) + bytes(20 * 28 * 28)
    return struct.pack(">2I", 0x801, 20) + bytes(range(10)) * 2


def fetch_all(_: object, folder: Path) -> None:
    for name in NAMES:
        put(folder, name, content(name))


def put(folder: Path, name: str, what: bytes) -> None:
    file = folder / "MNIST" / "raw" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(what)


def files_below(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.rglob("*") if file.is_file())


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small files pass for the published ones."""
    sums = {name: hashlib.md5(content(name)).hexdigest() for name in NAMES}
    monkeypatch.setattr(Mnist, "sums", sums)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


def test_the_root_is_data_or_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CNNCTL_DATA", raising=False)
    assert data_root() == Path("data")
    monkeypatch.setenv("CNNCTL_DATA", "/mnt/sets")
    assert data_root() == Path("/mnt/sets")


def test_without_a_network_the_fault_says_where_it_looked_and_what_would_do(
    tmp_path: Path, no_network: None
) -> None:
    with pytest.raises(FaultError) as error:
        Mnist().load("train", root=tmp_path)
    assert error.value.exit_code is ExitCode.DATA
    fault = error.value.faults[0]
    assert str(tmp_path / "MNIST/raw/train-images-idx3-ubyte") in fault.message
    assert "no route to host" in fault.message
    assert "data.name=digits" in fault.hint
    assert "CNNCTL_DATA" in fault.hint
    assert "\n" not in fault.message


def test_a_failed_download_leaves_nothing_behind(tmp_path: Path, no_network: None) -> None:
    with pytest.raises(FaultError):
        Mnist().load("train", root=tmp_path)
    assert files_below(tmp_path) == []


def test_a_download_that_breaks_off_leaves_no_half_written_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(_: object, folder: Path) -> None:
        put(folder, NAMES[0], content(NAMES[0]))
        put(folder, NAMES[1], content(NAMES[1])[:-3])
        raise ConnectionResetError(errno.ECONNRESET, "connection reset by peer")

    monkeypatch.setattr(Mnist, "fetch", break_off)
    with pytest.raises(FaultError, match="connection reset by peer"):
        Mnist().load("train", root=tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(Mnist, "fetch", fetch_all)
    assert len(Mnist().load("train", root=tmp_path)) == 20


def test_an_interrupted_download_leaves_no_half_written_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object, folder: Path) -> None:
        put(folder, NAMES[0], b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Mnist, "fetch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Mnist().load("train", root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_second_load_downloads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mnist, "fetch", fetch_all)
    first = Mnist().load("train", root=tmp_path)
    monkeypatch.setattr(Mnist, "fetch", None)
    again = Mnist().load("train", root=tmp_path)
    images = [each.rows.take(torch.arange(len(each))) for each in (first, again)]
    assert torch.equal(*images)
    assert files_below(tmp_path) == sorted(NAMES)


def test_nothing_is_downloaded_unless_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mnist, "fetch", None)
    with pytest.raises(FaultError, match="mnist not found"):
        Mnist().load("train", root=tmp_path, download=False)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_root_that_is_read_only_is_a_storage_fault(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(FaultError, match="cannot write to") as error:
        Mnist().load("train", root=tmp_path)
    assert error.value.exit_code is ExitCode.STORAGE


def test_a_root_that_is_a_file_is_a_storage_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FaultError, match="cannot write to") as error:
        Mnist().load("train", root=tmp_path / "file")
    assert error.value.exit_code is ExitCode.STORAGE


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Serves MNIST's archives, made small, and their MD5 sums to torchvision."""
    archives = {f"{name}.gz": gzip.compress(content(name)) for name in NAMES}
    sums = [(name, hashlib.md5(held).hexdigest()) for name, held in archives.items()]
    monkeypatch.setattr(datasets.MNIST, "resources", sums)

    class Response(io.BytesIO):
        def __init__(self, url: str) -> None:
            super().__init__(archives[url.rpartition("/")[2]])
            self.url, self.length = url, len(self.getbuffer())
            self.patience = socket.getdefaulttimeout()
            timeouts.append(self.patience)

    timeouts: list[float | None] = []
    monkeypatch.setattr("urllib.request.urlopen", lambda request: Response(request.full_url))
    return timeouts


def test_torchvision_downloads_and_only_whole_files_are_kept(
    tmp_path: Path, server: list[float | None]
) -> None:
    samples = Mnist().load("test", root=tmp_path)
    assert samples.targets.tolist() == [*range(10), *range(10)]
    assert files_below(tmp_path) == sorted(NAMES)


def test_a_silent_server_is_not_waited_for_without_end(
    tmp_path: Path, server: list[float | None]
) -> None:
    Mnist().load("test", root=tmp_path)
    assert None not in server
    assert socket.getdefaulttimeout() is None


def test_the_bar_is_drawn_on_a_terminal_and_nowhere_else(
    tmp_path: Path,
    server: list[float | None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Mnist().load("test", root=tmp_path / "log")
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == ("", [f"downloading mnist to {tmp_path / 'log'}"])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    Mnist().load("test", root=tmp_path / "terminal")
    out, err = capsys.readouterr()
    assert out == ""
    assert "100" in err


def test_a_download_whose_files_have_no_published_sum_notes_it_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Kmnist, "folder", "MNIST")
    monkeypatch.setattr(Kmnist, "counts", {"train": 20, "test": 20})
    monkeypatch.setattr(Kmnist, "fetch", fetch_all)
    Kmnist().load("train", root=tmp_path)
    assert files_below(tmp_path) == sorted([*NAMES, *(f"{name}.md5" for name in NAMES)])
    images = tmp_path / "MNIST/raw/train-images-idx3-ubyte"
    assert Path(f"{images}.md5").read_text().strip() == hashlib.md5(content(NAMES[0])).hexdigest()
    images.write_bytes(content(NAMES[0])[:-1] + b"x")
    with pytest.raises(FaultError, match="train-images-idx3-ubyte is damaged"):
        Kmnist().load("train", root=tmp_path)


@pytest.mark.parametrize("named", ["sets/MNIST", "sets/MNIST/raw", "."])
def test_files_one_folder_higher_or_lower_are_pointed_at(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_all(None, tmp_path / "sets")
    monkeypatch.setattr(Mnist, "fetch", None)  # nothing is downloaded
    with pytest.raises(FaultError, match="the files are in") as error:
        Mnist().load("train", root=tmp_path / named)
    assert error.value.exit_code is ExitCode.DATA
    assert f"use --data {tmp_path / 'sets'}" in error.value.faults[0].hint


def test_a_folder_that_is_not_used_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert used_folder(DataSet.read("digits"), Path("here")) is None
    assert capsys.readouterr().err == "note: digits needs no files, so --data has no effect\n"
    assert used_folder(DataSet.read("digits"), None) is None
    assert used_folder(DataSet.read("mnist"), Path("here")) == Path("here")
    assert capsys.readouterr().err == ""
