"""A file is written whole or not at all, and what the system says becomes words."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from cnnctl.errors import ExitCode, FaultError
from cnnctl.paths import inside
from cnnctl.storage import append, read_regular, storing, write_atomically


def test_a_file_is_replaced_by_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "größe.txt"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[step], fail)
    with pytest.raises(FaultError) as caught:
        write_atomically(path, b"new")
    assert caught.value.exit_code is ExitCode.STORAGE
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_the_disk_before_the_name_and_the_name_at_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        order.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def renamed(path: Path, target: Path) -> Path:
        order.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    write_atomically(tmp_path / "file", b"content")
    assert order == ["file", "rename", "folder"]


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "free some space, or choose another disk with --runs"),
        (errno.EDQUOT, "free some of your quota"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "check the folder's permissions"),
        (errno.EPERM, "check the folder's permissions"),
        (errno.EEXIST, "choose a folder with --runs"),
        (errno.ENOTDIR, "choose a folder with --runs"),
        (errno.EIO, "check the disk and the path"),
    ],
)
def test_what_the_system_says_is_reported_with_a_cure(number: int, hint: str) -> None:
    with pytest.raises(FaultError) as caught, storing(Path("runs/x")):
        raise OSError(number, os.strerror(number))
    assert caught.value.exit_code is ExitCode.STORAGE
    text = str(caught.value)
    assert text.startswith(f"runs/x: cannot be written: {os.strerror(number)}\n")
    assert hint in text


def test_an_error_without_a_number_is_reported_too() -> None:
    with pytest.raises(FaultError, match="written: Writer is closed"), storing(Path("runs/x")):
        raise OSError("Writer is closed")


def test_a_file_is_read_up_to_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_regular(path, limit=5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_regular(path, limit=4)


def test_a_sparse_file_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="larger than"):
        read_regular(path, limit=1 << 30)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/full"])
def test_devices_are_not_read(device: str) -> None:
    with pytest.raises(OSError, match="not a regular file"):
        read_regular(Path(device), limit=10)


def test_a_pipe_that_nobody_writes_to_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        read_regular(tmp_path / "pipe", limit=10)
    with pytest.raises(FaultError, match="cannot be written"):
        append(tmp_path / "pipe", b"line")


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, ".", "missing"])
def test_what_is_no_file_is_an_error_of_the_system(name: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r".") as caught:
        read_regular(tmp_path / name, limit=10)
    assert caught.value.strerror


def test_no_link_is_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"kept")
    link = tmp_path / "link"
    link.symlink_to(outside)
    with pytest.raises(FaultError, match="cannot be written"):
        append(link, b"line")
    write_atomically(link, b"new")
    assert outside.read_bytes() == b"kept"
    assert link.read_bytes() == b"new"
    assert not link.is_symlink()


def test_a_folder_may_be_a_link_and_may_hold_none(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "checkpoints").mkdir(parents=True)
    (tmp_path / "link").symlink_to(real)
    assert inside(tmp_path / "link", "checkpoints", "last") == tmp_path / "link/checkpoints/last"
    (real / "checkpoints" / "last").symlink_to(tmp_path)
    (real / "tensorboard").symlink_to(tmp_path)
    for names in (("checkpoints", "last"), ("tensorboard", "events")):
        with pytest.raises(OSError, match="is a symbolic link"):
            inside(tmp_path / "link", *names)
