"""Datasets in downloaded files: where they are stored, and how they are downloaded safely."""

from __future__ import annotations

import hashlib
import os
import shlex
import socket
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr
from functools import partial
from http.client import HTTPException
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from cnnctl.data.dataset import DataSet, StoredSplit
from cnnctl.data.image_set import ImageSet
from cnnctl.data.samples import Samples
from cnnctl.errors import FaultError, data_fault, storage_fault
from cnnctl.interruption import forget, unbroken, undo_at_signal
from cnnctl.paths import from_anywhere, is_file
from cnnctl.storage import reading_cure, storing

NOTE = ".md5"
"""Suffix of the MD5 file next to a downloaded file."""
MOST_FOLDERS = 1000
"""Limit on the folders that are searched for misplaced files."""
PATIENCE = 30.0
"""Seconds without data after which a download fails."""
ARCHIVES = {".gz", ".zip"}
"""Suffixes of archives, which are deleted after unpacking."""
CURE = "put its files there, set CNNCTL_DATA to their folder, or use data.name=digits (no download)"


class DownloadedSet(ImageSet):
    """Images in files that torchvision downloads once, to its own layout."""

    notes_sums: ClassVar[bool] = False
    """Whether a download stores the MD5 sum of each file next to it, for sets that publish only
    those of the archives."""

    @abstractmethod
    def files(self, split: StoredSplit) -> Sequence[str]:
        """The files of a split, relative to the root."""

    @abstractmethod
    def fetch(self, folder: Path) -> None:
        """Download all the files, with `folder` as the root."""

    @abstractmethod
    def parse(self, split: StoredSplit, root: Path) -> Samples:
        """Read one split from its files."""

    def read_original(self, split: StoredSplit, *, root: Path, download: bool) -> Samples:
        """Read one split as published, downloading it if necessary; see `load`."""
        root, files = _whole(root), self.files(split)
        if _missing(files, root) and (near := _found_near(files, root)):
            message = f"{self.kind} is not in {root}; the files are in {near}"
            raise data_fault(message, hint=f"use --data {shlex.quote(str(near))}")
        reason = ""
        if download and _missing(files, root):
            reason = _download(self.kind, self.fetch, root, notes_sums=self.notes_sums)
        if missing := _missing(files, root):
            message = f"{self.kind} not found: no {root / missing[0]}{reason}"
            raise data_fault(message, hint=CURE)
        try:
            return self.parse(split, root)
        except OSError as error:
            message = f"{error.filename or root} cannot be read: {error.strerror or error}"
            raise data_fault(message, hint=reading_cure(error)) from None


def used_folder(data: DataSet, folder: Path | None) -> Path | None:
    """The given dataset directory; None, with a note, if the dataset has no files."""
    if folder is None or data.has_files:
        return folder
    print(f"note: {data.kind} needs no files, so --data has no effect", file=sys.stderr)
    return None


def check_sum(file: Path, published: str | None = None) -> None:
    """Verify a file by its published MD5 sum, or by the one stored when it was downloaded.

    Raises:
        FaultError: it does not match.
    """
    note = _note_of(file)
    if published is None and note.is_file():
        published = note.read_text(encoding="utf-8", errors="replace").strip()
    if published is not None and _sum_of(file) != published:
        raise damaged(file)


def damaged(file: Path) -> FaultError:
    """The fault for a file with unexpected content."""
    return data_fault(f"{file} is damaged", hint="delete it to download it again")


def _missing(files: Sequence[str], root: Path) -> list[str]:
    return [file for file in files if not is_file(root / file)]


def _whole(root: Path) -> Path:
    try:
        return from_anywhere(root)
    except OSError as error:
        raise data_fault(f"{root} cannot be used: {error.strerror}", hint=CURE) from None


def _found_near(files: Sequence[str], root: Path) -> Path | None:
    """The folder one level down, or a few up, that has all the files."""
    try:
        below = sorted(path for path in root.iterdir() if path.is_dir())
    except OSError:
        below = []
    levels = max(len(Path(file).parts) for file in files)
    folders = [*list(root.parents)[:levels], *below[:MOST_FOLDERS]]
    return next((folder for folder in folders if not _missing(files, folder)), None)


def _sum_of(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def _note_of(file: Path) -> Path:
    """The file that stores the MD5 sum of a downloaded file."""
    return file.with_name(f"{file.name}{NOTE}")


def _download(
    kind: str, fetch: Callable[[Path], None], root: Path, *, notes_sums: bool = False
) -> str:
    """Download to a temporary folder, then move the files; returns the reason of a failure.

    A file gets its name only once it is complete, so a failed download leaves no partial file.
    """
    print(f"downloading {kind} to {root}", file=sys.stderr)
    with _folder_in(root) as folder:
        try:
            with _impatient(), _bar_on_terminals_only():
                fetch(folder)
        except (OSError, RuntimeError, HTTPException) as error:
            return f", and the download failed: {' '.join(str(error).split())}"
        for file in folder.rglob("*"):
            if is_file(file) and file.suffix not in ARCHIVES:
                target = root / file.relative_to(folder)
                with storing(target):
                    if notes_sums:
                        target.parent.mkdir(parents=True, exist_ok=True)
                        _note_of(target).write_text(f"{_sum_of(file)}\n", encoding="utf-8")
                    _move(file, target)
    return ""


@contextmanager
def _folder_in(root: Path) -> Iterator[Path]:
    """A temporary folder on the same disk, so that files are moved atomically."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with unbroken():
            folder = TemporaryDirectory(dir=root, prefix=".download-")
            undo_at_signal(folder.cleanup)
    except OSError as error:
        hint = "set CNNCTL_DATA to a writable folder"
        raise storage_fault(f"cannot write to {root}: {error.strerror}", hint=hint) from None
    try:
        with folder as name:
            yield Path(name)
    finally:
        forget(folder.cleanup)


def _move(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with file.open("r+b") as handle:
        os.fsync(handle.fileno())  # the content must reach the disk before the new name does
    file.replace(target)


@contextmanager
def _impatient() -> Iterator[None]:
    """Time out if the server stops responding; torchvision would wait forever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _bar_on_terminals_only() -> redirect_stderr[StringIO] | nullcontext[None]:
    """Hide torchvision's progress bar from logs, where it would take thousands of lines."""
    return nullcontext() if sys.stderr.isatty() else redirect_stderr(StringIO())
