"""What a path refers to, since `Path.exists` and the like raise if the system denies access."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from cnnctl.errors import storage_fault


def inside(folder: Path, *names: str) -> Path:
    """The path of these names in a folder; the folder may be a link, but not the names.

    Otherwise a folder from someone else could redirect writes to any other file.

    Raises:
        OSError: one of the names is a link.
    """
    path = folder
    for name in names:
        path = path / name
        if path.is_symlink():
            raise OSError(errno.ELOOP, f"{name} is a symbolic link", str(path))
    return path


def identity(path: Path) -> tuple[int, int]:
    """An identifier that all paths to the same file share.

    Raises:
        OSError: the system cannot tell.
    """
    status = path.stat()
    return status.st_dev, status.st_ino


def from_anywhere(path: Path) -> Path:
    """The absolute path, with `~` expanded.

    Raises:
        OSError: `~` is not a known user, or the current folder was deleted.
    """
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise OSError(errno.ENOENT, f"unknown home folder {path.parts[0]}") from None


def current_folder() -> Path:
    """The current folder.

    Raises:
        FaultError: it was deleted; torch and relative paths depend on it.
    """
    try:
        return Path.cwd()
    except OSError as error:
        message, hint = f"cannot be read: {error.strerror}", "change to an existing folder"
        raise storage_fault(message, hint=hint, place="the current folder") from None


def is_there(path: Path) -> bool:
    """Whether a path exists; false if the system cannot tell."""
    return bool(_mode(path))


def is_file(path: Path) -> bool:
    """Whether a path is a regular file; false if the system cannot tell."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; false if the system cannot tell."""
    return stat.S_ISDIR(_mode(path))


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):  # no permission, a name too long, a NUL character, …
        return 0
