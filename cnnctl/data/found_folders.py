"""The folders of a listing, and whether their files may have changed since."""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass, field
from pathlib import Path

SETTLED = 2 * 10**9
"""Nanoseconds that a folder has to be older than its listing: some systems count whole seconds."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes with the files that a folder contains."""

    inode: int
    changed: int
    """In nanoseconds."""

    @classmethod
    def of(cls, folder: Path) -> Stamp:
        """The stamp of a folder now."""
        status = folder.stat()
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(folder)
        return cls(status.st_ino, status.st_mtime_ns)


@dataclass(slots=True)
class FoundFolders:
    """The folders that a listing went through, by their names below the root."""

    root: Path
    began: int = field(default_factory=time.time_ns)
    stamps: dict[str, Stamp] = field(default_factory=dict)

    def add(self, below: str) -> None:
        """Note a folder, before its files are listed.

        Raises:
            OSError: it is not there any more.
        """
        self.stamps[below] = Stamp.of(self.root / below)

    @property
    def are_settled(self) -> bool:
        """Whether a change since would be seen."""
        newest = max((each.changed for each in self.stamps.values()), default=self.began)
        return newest + SETTLED < self.began
