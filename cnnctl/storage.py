"""Atomic file writes, and reads of regular files only."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from cnnctl.errors import FaultError, storage_fault
from cnnctl.interruption import forget, unbroken, undo_at_signal
from cnnctl.paths import is_folder

_CURES = {
    errno.ENOSPC: "free some space, or choose another disk with {option}",
    errno.EDQUOT: "free some of your quota, or choose another disk with {option}",
    errno.EROFS: "the disk is read-only; choose another with {option}",
    errno.EACCES: "check the folder's permissions, or choose another with {option}",
    errno.EPERM: "check the folder's permissions, or choose another with {option}",
    errno.EEXIST: "a file has this name; choose a folder with {option}",
    errno.ENOTDIR: "a file has this name; choose a folder with {option}",
    errno.ENOENT: "create the folder, or choose another with {option}",
    errno.ENAMETOOLONG: "use a shorter name",
    errno.ELOOP: "replace the link with its target",
}
_READING_CURES = {
    errno.ENOTDIR: "give a folder",
    errno.EACCES: "check its permissions",
    errno.ENAMETOOLONG: "use a shorter name",
    errno.ELOOP: "replace the link with its target",
    errno.EISDIR: "give a file in it",
}
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
"""Opening a pipe that nobody writes to would block forever."""
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.writing")


@contextmanager
def storing(path: Path, *, option: str = "--runs") -> Iterator[None]:
    """Turn OSErrors on this path into faults with exit code 6; `option` chooses another path."""
    try:
        yield
    except OSError as error:
        raise unstorable(path, error, option=option) from error


def unstorable(path: Path, error: OSError, *, option: str = "--runs") -> FaultError:
    """The fault for a path that could not be written or read."""
    reason = error.strerror or str(error)
    hint = _CURES.get(error.errno or 0, "check the disk and the path").format(option=option)
    return storage_fault(f"cannot be written: {reason}", hint=hint, place=str(path))


def reading_cure(error: OSError) -> str:
    """The hint for a path that could not be read."""
    return _READING_CURES.get(error.errno or 0, "check the path")


@unbroken()
def write_atomically(path: Path, *parts: bytes | memoryview, option: str = "--runs") -> None:
    """Write a file so that a reader sees the old or the new one, never a part; see `replacing`.

    Raises:
        FaultError: the disk is full, read-only, …; the old file is untouched.
    """
    with replacing(path, option=option) as file:
        file.writelines(parts)


@contextmanager
def replacing(path: Path, *, option: str = "--runs") -> Iterator[BinaryIO]:
    """A file to write to that takes the place of this one when all is written, as a whole.

    Temporary file in the same folder, flush, fsync, rename, fsync of the folder. No link is
    followed: the temporary file is always new, and the rename replaces a link itself. Hints name
    the `option` that chooses another place.

    Raises:
        FaultError: the disk is full, read-only, …; the old file is untouched.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.writing")
    undo = partial(temporary.unlink, missing_ok=True)
    undo_at_signal(undo)
    try:
        with storing(path, option=option):
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            undo()
        forget(undo)


def remove_temporary_files(folder: Path) -> None:
    """Delete temporary files of killed processes; nobody else may be writing to the folder.

    Raises:
        OSError: the folder cannot be read or written.
    """
    for path in folder.iterdir():
        if _TEMPORARY.fullmatch(path.name) and not is_folder(path):
            path.unlink()


def append(path: Path, content: bytes) -> None:
    """Append to a file and sync it; the file is created if necessary.

    Raises:
        FaultError: the disk is full, the path is a link or a pipe, …
    """
    with _appending(path) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def append_unsynced(path: Path, content: bytes) -> None:
    """The same without the sync, which takes milliseconds: a power failure can lose it.

    Raises:
        FaultError: as `append`.
    """
    with _appending(path) as file:
        file.write(content)


@contextmanager
def _appending(path: Path) -> Iterator[BinaryIO]:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_LINK | _NO_WAIT
    with storing(path), os.fdopen(os.open(path, flags, 0o666), "ab") as file:
        _regular_size(file.fileno())
        yield file


def read_regular(path: Path | str, *, limit: int) -> bytes:
    """Read a regular file.

    Raises:
        OSError: it does not exist, may not be read, is larger than `limit` bytes, or is a folder, a
            pipe or a device; `strerror` says which.
    """
    with _opened(path) as handle:
        return _read_at_once(handle, limit)


def read_part(path: Path, *, start: int, size: int, stamp: int) -> bytes:
    """Read a part of a regular file, which ends where the file does.

    stamp: when it was last changed, in nanoseconds.

    Raises:
        OSError: as for `read_regular`; or it has been changed since.
    """
    with _opened(path) as handle:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_mtime_ns != stamp:
            raise OSError(errno.ESTALE, f"{path.name} has changed since it was listed")
        os.lseek(handle, start, os.SEEK_SET)
        content = os.read(handle, size)
        while len(content) < size and (more := os.read(handle, size - len(content))):
            content += more
        return content


def read_file_or_pipe(path: Path, *, limit: int) -> bytes:
    """Read a regular file, or a pipe until its writers close it.

    A pipe, which /dev/stdin may be, can be read only once.

    Raises:
        OSError: as for `read_regular`; or it is a pipe that nobody writes to.
    """
    with _opened(path) as handle:
        if not stat.S_ISFIFO(os.fstat(handle).st_mode):
            return _read_at_once(handle, limit)
        os.set_blocking(handle, True)
        content = b""
        while len(content) <= limit and (part := os.read(handle, limit + 1)):
            content += part
    if len(content) > limit:
        raise _too_large(limit)
    if not content:
        raise OSError(errno.EINVAL, "a pipe that nobody writes to")
    return content


@contextmanager
def _opened(path: Path | str) -> Iterator[int]:
    try:
        handle = os.open(path, os.O_RDONLY | _NO_WAIT | getattr(os, "O_BINARY", 0))
    except ValueError:  # a NUL character
        raise OSError(errno.EINVAL, "not a valid file name") from None
    try:
        yield handle
    finally:
        os.close(handle)


def _read_at_once(handle: int, limit: int) -> bytes:
    size = _regular_size(handle)
    if size > limit:
        raise _too_large(limit)
    content = os.read(handle, size)
    while len(content) < size and (more := os.read(handle, size - len(content))):
        content += more  # the system reads at most 2 GB at once
    return content


def _too_large(limit: int) -> OSError:
    return OSError(errno.EFBIG, f"larger than {limit} bytes")


def _regular_size(handle: int) -> int:
    """The size in bytes of an open file, which must be a regular one."""
    status = os.fstat(handle)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "a pipe or a device, not a regular file")
    return status.st_size


def contents(folder: Path) -> list[Path]:
    """The entries of a folder, sorted by name; empty if it does not exist.

    Raises:
        FaultError: it cannot be read, or is a file.
    """
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        message, hint = f"cannot be read: {error.strerror}", reading_cure(error)
        raise storage_fault(message, hint=hint, place=str(folder)) from None


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that a rename in it survives a power failure."""
    if os.name != "posix":
        return  # other systems cannot open a folder
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
