"""Atomic file writes, and reads of regular files only.

What stands at a path is asked here, for `Path.exists` and its like raise where the system refuses.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnctl.errors import FaultError, storage_fault
from cnnctl.interruption import unbroken

_CURES = {
    errno.ENOSPC: "free some space, or choose another disk with --runs",
    errno.EDQUOT: "free some of your quota, or choose another disk with --runs",
    errno.EROFS: "the disk is read-only; choose another with --runs",
    errno.EACCES: "check the folder's permissions, or choose another with --runs",
    errno.EPERM: "check the folder's permissions, or choose another with --runs",
    errno.EEXIST: "a file has this name; choose a folder with --runs",
    errno.ENOTDIR: "a file has this name; choose a folder with --runs",
    errno.ENOENT: "check the path; the current folder may have been deleted",
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
"""Opening a pipe that nobody writes to would wait for ever."""
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.writing")


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn OSErrors on this path into faults with exit code 6."""
    try:
        yield
    except OSError as error:
        raise unstorable(path, error) from error


def unstorable(path: Path, error: OSError) -> FaultError:
    """The fault for a path that could not be written or read."""
    reason = error.strerror or str(error)
    hint = _CURES.get(error.errno or 0, "check the disk and the path")
    return storage_fault(f"cannot be written: {reason}", hint=hint, place=str(path))


def reading_cure(error: OSError) -> str:
    """The hint for a path that could not be read."""
    return _READING_CURES.get(error.errno or 0, "check the path")


@unbroken()
def write_atomically(path: Path, *parts: bytes | memoryview) -> None:
    """Write a file so that a reader finds the old one or the new one, never a part.

    Temporary file in the same folder, flush, fsync, rename, fsync of the folder. No link is
    followed: the temporary file is always a new one, and the rename replaces a link itself.

    Raises:
        FaultError: the disk is full, read-only, …; the old file is untouched.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.writing")
    with storing(path):
        try:
            with temporary.open("xb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def remove_temporary_files(folder: Path) -> None:
    """Delete temporary files of killed writers; nobody may be writing there now.

    Raises:
        OSError: the folder cannot be read or written.
    """
    for path in folder.iterdir():
        if _TEMPORARY.fullmatch(path.name) and not is_folder(path):
            path.unlink()


def append(path: Path, content: bytes) -> None:
    """Add to a file's end, and wait until it is on the disk; the file is made if need be.

    Raises:
        FaultError: the disk is full, a link or a pipe is in the file's place, …
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_LINK | _NO_WAIT
    with storing(path), os.fdopen(os.open(path, flags, 0o666), "ab") as file:
        _regular_size(file.fileno())
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read_regular(path: Path, *, limit: int) -> bytes:
    """What a regular file holds when it is opened.

    Raises:
        OSError: it is not there, may not be read, is larger than `limit` bytes, or is a folder, a
            pipe or a device; `strerror` says which.
    """
    with _opened(path) as handle:
        return _read_at_once(handle, limit)


def read_file_or_pipe(path: Path, *, limit: int) -> bytes:
    """What a regular file holds, or what comes out of a pipe until its writers close it.

    A pipe, as /dev/stdin may be one, gives its content once.

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
def _opened(path: Path) -> Iterator[int]:
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
    with os.fdopen(handle, "rb", closefd=False) as file:
        return file.read(size)


def _too_large(limit: int) -> OSError:
    return OSError(errno.EFBIG, f"larger than {limit} bytes")


def _regular_size(handle: int) -> int:
    """The size in bytes of an open file, which has to be a regular one."""
    status = os.fstat(handle)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "a pipe or a device, not a regular file")
    return status.st_size


def inside(folder: Path, *names: str) -> Path:
    """The path of these names below a folder, which may be reached by a link but holds none.

    A folder that was received could otherwise make its reader write to any other file.

    Raises:
        OSError: one of the names is a link.
    """
    path = folder
    for name in names:
        path = path / name
        if path.is_symlink():
            raise OSError(errno.ELOOP, f"{name} is a symbolic link", str(path))
    return path


def contents(folder: Path) -> list[Path]:
    """What is in a folder, in the order of the names; nothing where there is no folder.

    Raises:
        FaultError: it may not be read, or is a file.
    """
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        message, hint = f"cannot be read: {error.strerror}", reading_cure(error)
        raise storage_fault(message, hint=hint, place=str(folder)) from None


def identity(path: Path) -> tuple[int, int]:
    """An identity that is equal for all paths to the same file.

    Raises:
        OSError: the system does not say.
    """
    status = path.stat()
    return status.st_dev, status.st_ino


def from_anywhere(path: Path) -> Path:
    """The path as it holds from every folder, with `~` written out.

    Raises:
        OSError: `~` names no user, or the current folder was deleted.
    """
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise OSError(errno.ENOENT, f"unknown home folder {path.parts[0]}") from None


def current_folder() -> Path:
    """The current folder.

    Raises:
        FaultError: it was deleted since; neither torch nor a relative path can do without.
    """
    try:
        return Path.cwd()
    except OSError as error:
        message, hint = f"cannot be read: {error.strerror}", "change to an existing folder"
        raise storage_fault(message, hint=hint, place="the current folder") from None


def is_there(path: Path) -> bool:
    """Whether there is anything; also false where the system does not say."""
    return bool(_mode(path))


def is_file(path: Path) -> bool:
    """Whether there is a regular file; also false where the system does not say."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Whether there is a folder; also false where the system does not say."""
    return stat.S_ISDIR(_mode(path))


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):  # no permission, a name too long, a NUL character, …
        return 0


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that a rename in it survives a power failure."""
    if os.name != "posix":
        return  # other systems cannot open a folder
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
