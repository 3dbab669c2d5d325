"""The folder of what is kept from one run to the next: decoded pictures, and lists of files."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from cnnctl.paths import from_anywhere

PIXELS, INDEX = ".pixels", ".index"
SHARD = ".shard"
"""Of the list of what is in a shard."""
COPIES = "shards-"
"""How the folders of shards from elsewhere begin, after a dot if they are not for other runs."""
LISTING = ".listing"
"""Of the list of a folder's files."""
UNUSED = 30 * 24 * 3600
"""Seconds after which a file that was not used makes room for others."""


def cache_folder() -> Path:
    """The folder of decoded pictures, which is made if need be.

    Raises:
        OSError: it cannot be made.
    """
    folder = named_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cache_disk() -> int:
    """The size in bytes of the disk that decoded pictures are written to; 0 if there is none."""
    try:
        folder = named_folder()
        there = next(each for each in (folder, *folder.parents) if each.exists())
        return shutil.disk_usage(there).total
    except OSError:
        return 0


def named_folder() -> Path:
    """The path of that folder, whether it is there or not."""
    named = os.environ.get("CNNCTL_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return from_anywhere(Path(named) if named else Path(home) / "cnnctl")


def make_room(folder: Path) -> None:
    """Delete what has not been used for a month, and what killed writers left."""
    oldest = time.time() - UNUSED
    for path in folder.iterdir():
        with suppress(OSError):  # another process was faster
            if path.name.removeprefix(".").startswith(COPIES):
                if path.stat().st_mtime < oldest:
                    shutil.rmtree(path)
            elif path.suffix in (PIXELS, INDEX, SHARD, LISTING, ".writing"):
                used = path.with_suffix(INDEX) if path.suffix == PIXELS else path
                if (used if used.exists() else path).stat().st_mtime < oldest:
                    path.unlink()
