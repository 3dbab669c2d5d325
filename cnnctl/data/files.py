"""The files below a root: of a folder, or of a .zip or .tar archive, which is read in place.

No link is followed outward, and no name leads out: what an archive or a folder holds of that kind
is left out, with the reason.
"""

from __future__ import annotations

import os
import stat
import sys
import tarfile
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from cnnctl.errors import FaultError, data_fault
from cnnctl.storage import is_file, is_folder, read_regular, reading_cure

MAX_FILES = 10_000_000
MAX_DEPTH = 64
"""Folders below each other."""
ABSENT = -1
"""The size of a file that is not there, where one is expected."""
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ARCHIVE_SUFFIXES = (".zip", *TAR_SUFFIXES)
CLUTTER = {"Thumbs.db", "desktop.ini", "__MACOSX"}
"""What systems leave beside files, along with names that begin with a dot."""
GIVE_IT = "check data.path, or give the folder with --data"
NO_ARCHIVE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError),
)
"""What the archive modules raise for damaged, encrypted and unknown content."""


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
    """Another number whenever the file is another: the time it was modified, or its CRC."""


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
    """What reading raises, beside OSError, for content that is damaged."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.left_out: list[LeftOut] = []

    @cached_property
    def entries(self) -> list[Entry]:
        """The files, sorted by name.

        Raises:
            FaultError: the root is not there, cannot be read, or is a damaged archive.
        """
        with self._readable():
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
        with self._readable(entry.name):
            content = self._content(entry)
        if len(content) != entry.size:
            message = f"changed while it was read: {len(content):,} bytes, not {entry.size:,}"
            hint = "start again when nothing is writing to it"
            raise data_fault(message, hint=hint, place=self.place(entry.name))
        return content

    def place(self, name: str) -> str:
        """How messages name a file."""
        return str(self.root / name)

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
            files = "1 file is" if count == 1 else f"{count:,} files are"
            reason = f"{self.place(first.name)} {first.reason}"
            print(f"note: {files} not used: {reason}{', …' * (count > 1)}", file=sys.stderr)

    def _is_usable(self, name: str) -> bool:
        """Whether a name of an archive stays below its root; clutter is left out in silence."""
        parts = name.split("/")
        if name.startswith("/") or "\\" in name or ":" in parts[0] or {"..", ".", ""} & set(parts):
            self.leave_out(name, "its name leads out of the archive")
            return False
        return not any(map(is_clutter, parts))

    def _readable(self, name: str = "") -> _Reading:
        return _Reading(self, name)


class _Reading:
    """A context that turns what reading raises into data faults."""

    def __init__(self, tree: FileTree, name: str) -> None:
        self.tree, self.name = tree, name

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if error is None or isinstance(error, FaultError):
            return
        place = self.tree.place(self.name) if self.name else str(self.tree.root)
        if isinstance(error, OSError):
            message = f"cannot be read: {error.strerror or error}"
            raise data_fault(message, hint=reading_cure(error), place=place) from None
        if isinstance(error, self.tree.damage):
            message = f"is a damaged or unsupported archive: {error}"
            raise data_fault(message, hint="create the archive again", place=place) from None


def open_tree(root: Path, *, cure: str = GIVE_IT) -> FileTree:
    """The files of a folder or an archive, told by its suffix; `cure` is the hint if it is missing.

    Raises:
        FaultError: there is neither.
    """
    if is_folder(root):
        return Folder(root)
    if not is_file(root):
        raise data_fault("no such folder or archive", hint=cure, place=str(root))
    name = root.name.lower()
    if name.endswith(".zip"):
        return Zip(root)
    if name.endswith(TAR_SUFFIXES):
        return Tar(root)
    hint = f"give a folder, or an archive ({', '.join(ARCHIVE_SUFFIXES)})"
    raise data_fault("is neither a folder nor an archive", hint=hint, place=str(root))


class Folder(FileTree):
    """The files of a folder. Links to folders are not followed, nor links to files outside it."""

    damage = ()

    @cached_property
    def _top(self) -> str:
        return str(self.root)

    def _listed(self) -> Iterator[Entry]:
        waiting = [("", 0)]
        count = 0
        while waiting:
            below, depth = waiting.pop()
            for found in self._scanned(below):
                name = f"{below}{found.name}"
                if is_clutter(found.name):
                    continue
                if found.is_dir(follow_symlinks=False):
                    if depth == MAX_DEPTH:
                        self.leave_out(name, f"is more than {MAX_DEPTH} folders deep")
                    else:
                        waiting.append((f"{name}/", depth + 1))
                elif (status := self._status(found, name)) is not None:
                    count += 1
                    if count > MAX_FILES:
                        message = f"has more than {MAX_FILES:,} files"
                        raise data_fault(message, hint="split it", place=str(self.root))
                    yield Entry(name, status.st_size, status.st_mtime_ns)

    def _scanned(self, below: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.root / below) as found:
                return list(found)
        except OSError as error:
            if not below:
                raise
            self.leave_out(below, f"cannot be read: {error.strerror}")
            return []

    def _status(self, found: os.DirEntry[str], name: str) -> os.stat_result | None:
        """What the system says about a regular file; None, with the reason, for all else."""
        try:
            if found.is_symlink() and not self._leads_inside(Path(found.path)):
                self.leave_out(name, "is a link to a folder, or to a file outside")
                return None
            status = found.stat()
        except (OSError, RuntimeError) as error:  # the latter for a loop of links
            self.leave_out(name, f"cannot be read: {error}")
            return None
        if not stat.S_ISREG(status.st_mode):
            self.leave_out(name, "is not a regular file")
            return None
        return status

    def _leads_inside(self, link: Path) -> bool:
        target = link.resolve(strict=True)  # a loop is an OSError
        return target.is_file() and target.is_relative_to(self.root.resolve())

    def _content(self, entry: Entry) -> bytes:
        # a Path would take as long as reading a small file
        return read_regular(os.path.join(self._top, entry.name), limit=entry.size + 1)  # noqa: PTH118


class Zip(FileTree):
    """The files of a .zip archive."""

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(self.root)

    def _listed(self) -> Iterator[Entry]:
        for info in self._archive.infolist():
            if info.is_dir() or not self._is_usable(info.filename):
                continue
            if stat.S_ISLNK(info.external_attr >> 16):
                self.leave_out(info.filename, "is a link")
            elif info.flag_bits & 1:
                self.leave_out(info.filename, "is encrypted")
            else:
                yield Entry(info.filename, info.file_size, info.CRC)

    def _content(self, entry: Entry) -> bytes:
        with self._archive.open(entry.name) as file:
            return file.read(entry.size + 1)


class Tar(FileTree):
    """The files of a .tar archive, which may be compressed and is then read from front to back."""

    is_sequential = True

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._members: dict[str, tarfile.TarInfo] = {}
        self._lock = threading.Lock()

    @cached_property
    def _archive(self) -> tarfile.TarFile:
        return tarfile.open(self.root, "r:*")

    def offset(self, entry: Entry) -> int:
        member = self._members.get(entry.name)
        return member.offset if member else 0

    def _listed(self) -> Iterator[Entry]:
        for member in self._archive:
            name = str(PurePosixPath(member.name))
            if member.isdir() or not self._is_usable(name):
                continue
            if not member.isreg():
                self.leave_out(name, "is a link or a device")
                continue
            if name in self._members:
                self.leave_out(name, "is in the archive twice; the last one counts")
            self._members[name] = member
        for name, member in self._members.items():
            yield Entry(name, member.size, int(member.mtime * 10**9) ^ member.chksum)

    def _content(self, entry: Entry) -> bytes:
        with self._lock:
            file = self._archive.extractfile(self._members[entry.name])
            assert file is not None  # regular files are asked for only
            return file.read(entry.size + 1)
