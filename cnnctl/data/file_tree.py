"""Regular files below a root, whatever the root is."""

from __future__ import annotations

import os
import sys
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from lzma import LZMAError
from pathlib import Path

from cnnctl.data.reading import reading
from cnnctl.errors import data_fault

ABSENT = -1
"""The size of a file that is expected but missing."""
CLUTTER = {"Thumbs.db", "desktop.ini", "__MACOSX"}
"""Files that operating systems leave behind, besides those that begin with a dot."""
NO_ARCHIVE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError),
)
"""What the archive modules raise for damaged, encrypted and unknown content."""


MOST_INFLATED = 1032
"""How many bytes a byte that is compressed by deflate can stand for, at most."""


def is_clutter(name: str) -> bool:
    """Whether a file or folder was put there by a system, or is hidden."""
    return name in CLUTTER or (name.startswith(".") and name not in (".", ".."))


@dataclass(frozen=True, slots=True)
class Entry:
    """A file: its name below the root, with / between folders, its size and its version."""

    name: str
    size: int
    """In bytes, as the folder or the archive says; reading checks it."""
    stamp: int
    """Changes whenever the content does: the modification time, or the CRC."""
    start: int = 0
    """Where it begins in its shard, in bytes."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not used, and why."""

    name: str
    reason: str


class FileTree(ABC):
    """All regular files below a root."""

    is_sequential = False
    """Whether reading is quick only in the order of `offset`, and from one thread."""
    damage: tuple[type[Exception], ...] = NO_ARCHIVE
    """Exceptions that reading damaged content raises, besides OSError."""

    def __init__(self, root: Path) -> None:
        self.root, self._root = root, str(root)
        self.left_out: list[LeftOut] = []

    @property
    def opened_as(self) -> Path:
        """The path that a process of its own opens the same files by."""
        return self.root

    @cached_property
    def entries(self) -> list[Entry]:
        """The files, sorted by name.

        Raises:
            FaultError: the root is not there, cannot be read, or is a damaged archive.
        """
        with self._reading():
            return sorted(self._listed(), key=lambda entry: entry.name)

    def read(self, entry: Entry, *, limit: int) -> bytes:
        """The content of a file.

        Raises:
            FaultError: it cannot be read, is larger than `limit` bytes, or is no longer the file
                that was listed.
        """
        if entry.size == ABSENT:
            hint = "check its name"
            raise data_fault("no such file", hint=hint, place=self.place(entry.name))
        if entry.size > limit:
            message = f"has {entry.size:,} bytes, more than the limit of {limit:,}"
            raise data_fault(message, hint="leave it out", place=self.place(entry.name))
        with self._reading(entry.name):
            content = self._content(entry)
        if len(content) != entry.size:
            message = f"changed while it was read: {len(content):,} bytes, not {entry.size:,}"
            hint = "start again when nothing is writing to it"
            raise data_fault(message, hint=hint, place=self.place(entry.name))
        return content

    def place(self, name: str) -> str:
        """How messages name a file."""
        # a Path would take as long as reading a small file
        return os.path.join(self._root, name)  # noqa: PTH118

    @contextmanager
    def at_hand(self, entries: Sequence[Entry]) -> Iterator[None]:
        """Have these files where processes of their own can read them, until the block ends.

        Raises:
            FaultError: one of them cannot be had.
        """
        yield

    def offset(self, entry: Entry) -> int:
        """Where the file comes in the order that reads it quickest."""
        return 0

    @abstractmethod
    def _listed(self) -> Iterable[Entry]:
        """The files in any order; fills `left_out`."""

    @abstractmethod
    def _content(self, entry: Entry) -> bytes:
        """At most one byte more than the entry's size."""

    def leave_out(self, name: str, reason: str) -> None:
        """Note that a file is not used."""
        self.left_out.append(LeftOut(name, reason))

    def note_left_out(self) -> None:
        """Say on stderr how many files are not used, and why the first of them is not."""
        if self.left_out:
            first, count = self.left_out[0], len(self.left_out)
            files = "1 file not used" if count == 1 else f"{count:,} files not used, the first"
            print(f"note: {files}: {self.place(first.name)}: {first.reason}", file=sys.stderr)

    def _is_usable(self, name: str) -> bool:
        """Whether a name of an archive stays below its root; clutter is left out in silence."""
        parts = name.split("/")
        if name.startswith("/") or "\\" in name or ":" in parts[0] or {"..", ".", ""} & set(parts):
            self.leave_out(name, "its name leads out of the archive")
            return False
        return not any(map(is_clutter, parts))

    def _reading(self, name: str = "") -> AbstractContextManager[None]:
        place = self.place(name) if name else str(self.root)
        found, cure = "is a damaged or unsupported archive", "create the archive again"
        return reading(place, damage=self.damage, found=found, cure=cure)
