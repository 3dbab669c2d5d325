"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnctl.errors import FaultError, storage_fault

_CURES = {
    errno.ENOSPC: "free some space, or name another disk with --runs",
    errno.EDQUOT: "free some of your quota, or name another disk with --runs",
    errno.EROFS: "the disk is read-only; name another with --runs",
    errno.EACCES: "check who owns the folder, or name another with --runs",
    errno.EPERM: "check who owns the folder, or name another with --runs",
    errno.EEXIST: "a file is in its place; name a folder with --runs",
    errno.ENOTDIR: "a file is in its place; name a folder with --runs",
}


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn what the system says of this path into a fault with exit code 6."""
    try:
        yield
    except OSError as error:
        raise unstorable(path, error) from error


def unstorable(path: Path, error: OSError) -> FaultError:
    """The fault for a path that could not be written or read."""
    reason = error.strerror or str(error)
    cure = _CURES.get(error.errno or 0, "check the disk and the path")
    return storage_fault(f"cannot be written: {reason}", cure=cure, place=str(path))


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds the old one or the new one, never a part.

    Temporary file in the same folder, flush, fsync, rename, fsync of the folder.

    Raises:
        FaultError: the disk is full, read-only, …; the old file is untouched.
    """
    temporary = path.with_name(f".{path.name}.writing")
    with storing(path):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder last through a power failure."""
    if os.name != "posix":
        return  # other systems cannot open a folder
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
