"""The files below a root: of a folder, or of a .zip or .tar archive, which is read in place.

No link is followed outward, and no name leads out: what an archive or a folder holds of that kind
is left out, with the reason.
"""

from __future__ import annotations

import os
import stat
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

from cnnctl.config.wording import show
from cnnctl.data.file_tree import MOST_INFLATED, Entry, FileTree, is_clutter
from cnnctl.data.found_folders import FoundFolders
from cnnctl.data.shards.stored import MARK, StoredShards
from cnnctl.errors import data_fault
from cnnctl.paths import is_file, is_folder
from cnnctl.storage import read_regular

MAX_FILES = 10_000_000
MAX_DEPTH = 64
"""Folders below each other."""
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ARCHIVE_SUFFIXES = (".zip", *TAR_SUFFIXES)
Tree = TypeVar("Tree", bound=FileTree)
GIVE_IT = "check data.path, or give the folder with --data"


def open_tree(root: Path, *, cure: str = GIVE_IT) -> FileTree:
    """The files of a folder or an archive, told by its suffix; `cure` is the hint if it is missing.

    Raises:
        FaultError: there is neither.
    """
    if root.name == MARK:
        return StoredShards(root.parent)
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


_last: dict[str, Any] = {}
"""The files that were listed last; see `remembered_tree`."""


def remembered_tree(root: Path, *, cure: str = GIVE_IT) -> FileTree:
    """The files of a folder or an archive as they were listed last, if `forget_tree` has not been
    called since: each split is read by itself, and listing many files takes seconds.

    Raises:
        FaultError: there is neither.
    """
    return remembered(str(root), lambda: open_tree(root, cure=cure))


def remembered(key: str, opened: Callable[[], Tree]) -> Tree:
    """What was opened last by this key, or is now; see `remembered_tree`."""
    last = _last.get(key)
    if last is None:
        _last.clear()
        last = _last[key] = opened()
    return last


def forget_tree() -> None:
    """Make the next survey list the files again."""
    _last.clear()


class Folder(FileTree):
    """The files of a folder. Links to folders are not followed, nor links to files outside it."""

    damage = ()

    @cached_property
    def entries(self) -> list[Entry]:
        """The files, sorted by name; of a large folder that has not changed, as listed before."""
        # it imports torch, which the processes that decode, and do not list, should not
        from cnnctl.data.listings import keep_listing, kept_listing

        kept = kept_listing(self.root)
        if kept is not None:
            return kept
        found = super().entries
        if not self.left_out:
            keep_listing(self.root, found, self._folders)
        return found

    def _listed(self) -> Iterator[Entry]:
        self._folders = FoundFolders(self.root)
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
            self._folders.add(below)
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
        return read_regular(self.place(entry.name), limit=entry.size + 1)


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

    def opened(self, entry: Entry) -> IO[bytes]:
        """A file, to be read from its beginning; from one thread only."""
        file = self._archive.extractfile(self._members[entry.name])
        assert file is not None  # regular files are asked for only
        return file

    def _listed(self) -> Iterator[Entry]:
        most = MOST_INFLATED * self.root.stat().st_size
        for member in self._archive:
            if member.offset_data + member.size > most:  # before it is unpacked to the next one
                message = f"{show(member.name)} claims {member.size:,} bytes, too many for its file"
                hint = "unpack it, and give the folder"
                raise data_fault(message, hint=hint, place=str(self.root))
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
            return self.opened(entry).read(entry.size + 1)
