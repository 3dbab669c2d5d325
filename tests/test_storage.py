"""A file is written whole or not at all, and what the system says becomes words."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from cnnctl.errors import ExitCode, FaultError
from cnnctl.storage import storing, write_atomically


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
    ("number", "cure"),
    [
        (errno.ENOSPC, "free some space, or name another disk with --runs"),
        (errno.EDQUOT, "free some of your quota"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "check who owns the folder"),
        (errno.EPERM, "check who owns the folder"),
        (errno.EEXIST, "name a folder with --runs"),
        (errno.ENOTDIR, "name a folder with --runs"),
        (errno.EIO, "check the disk and the path"),
    ],
)
def test_what_the_system_says_is_told_with_a_cure(number: int, cure: str) -> None:
    with pytest.raises(FaultError) as caught, storing(Path("runs/x")):
        raise OSError(number, os.strerror(number))
    assert caught.value.exit_code is ExitCode.STORAGE
    text = str(caught.value)
    assert text.startswith(f"runs/x: cannot be written: {os.strerror(number)}\n")
    assert cure in text


def test_an_error_without_a_number_is_told_too() -> None:
    with pytest.raises(FaultError, match="written: Writer is closed"), storing(Path("runs/x")):
        raise OSError("Writer is closed")
