"""Files that take their places together, once they have been checked: all or none."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cnnctl.errors import config_fault
from cnnctl.interruption import forget, unbroken, undo_at_signal
from cnnctl.paths import is_folder
from cnnctl.storage import storing, sync_folder

_ANOTHER = "FILE"
"""What hints name as the way to another disk."""


def refuse_existing(paths: Sequence[Path], *, force: bool) -> None:
    """Raise a FaultError for what is there already, unless it may be replaced.

    Raises:
        FaultError: a file exists, and not `force`; or a folder has the name of one.
    """
    for path in paths:
        if is_folder(path):
            raise config_fault(f"{path} is a folder", hint="name a file in it")
        if os.path.lexists(path) and not force:
            raise config_fault(f"{path} exists", hint="add --force to replace it")


@contextmanager
def placing(folder: Path, contents: Mapping[str, bytes]) -> Iterator[Path]:
    """Write files to a temporary folder in this one; they are moved here if the block succeeds.

    If one cannot be moved, none is, and those that would have been replaced are as before.

    Raises:
        FaultError: the folder is missing or read-only, the disk is full, …; nothing has changed.
    """
    temporary = folder / f".{secrets.token_hex(8)}.exporting"
    undo = partial(shutil.rmtree, temporary, ignore_errors=True)
    undo_at_signal(undo)
    try:
        with storing(folder, option=_ANOTHER):
            temporary.mkdir()
            for name, content in contents.items():
                _write(temporary / name, content)
        yield temporary
        with unbroken(), storing(folder, option=_ANOTHER):
            _move(temporary, folder, [*contents][::-1])  # the file itself at last
            sync_folder(folder)
    finally:
        undo()
        forget(undo)


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _move(temporary: Path, folder: Path, names: Sequence[str]) -> None:
    """Move files by name from one folder to the other; undo what was done if one fails.

    The last one replaces what is there at once; before it, what is replaced is kept to be put back.
    """
    begun: list[str] = []
    try:
        for name in names:
            begun.append(name)
            if name != names[-1] and os.path.lexists(folder / name):
                (folder / name).replace(_kept(temporary, name))
            (temporary / name).replace(folder / name)
    except OSError:
        for name in begun:
            _put_back(temporary, folder, name)
        raise


def _kept(temporary: Path, name: str) -> Path:
    return temporary / f"{name}.replaced"


def _put_back(temporary: Path, folder: Path, name: str) -> None:
    if os.path.lexists(_kept(temporary, name)):
        _kept(temporary, name).replace(folder / name)
    elif not os.path.lexists(temporary / name):  # it was moved, and nothing was there before
        (folder / name).unlink()
