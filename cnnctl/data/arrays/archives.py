"""The arrays of an .npz file, or of a .zip or .tar archive of .npy files, all read in place."""

from __future__ import annotations

import zipfile
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from cnnctl.config.wording import show
from cnnctl.data.arrays.header import MAX_HEADER, header_of
from cnnctl.data.arrays.stored import Array, StoredArray, check_size, reading_array
from cnnctl.data.file_tree import MOST_INFLATED, Entry, FileTree, is_clutter
from cnnctl.data.files import TAR_SUFFIXES, Tar, Zip
from cnnctl.data.residence import machine_memory
from cnnctl.errors import data_fault

MAX_ARRAYS = 10_000
PART = 2**22
"""Bytes that are read at a time."""
SHARE = 2
"""An array in an archive is read into memory up to this part of it: a half."""
ARCHIVES = (".npz", ".zip", *TAR_SUFFIXES)
AGAIN = "save it again, with numpy.savez, or archive the .npy files again"


class ArchivedArray(StoredArray):
    """An array in an archive, which is read into memory."""

    def __init__(self, name: str, path: Path, start: bytes, *, size: int) -> None:
        """`start` has the header, and `size` is that of the file in the archive."""
        self._path = path
        super().__init__(name, str(path), header_of(start, name, str(path)))
        check_size(self, size)

    @abstractmethod
    def _opened(self) -> AbstractContextManager[IO[bytes]]:
        """The file of the array, to be read from its beginning."""

    def _content(self) -> Array:
        header = self.header
        if header.size > machine_memory() // SHARE:
            message = f"takes {header.size:,} bytes, more than half of the memory"
            hint = f"unpack {self._path.name} into a folder and give that: its files are mapped"
            raise self.fault(message, hint=hint)
        array = np.empty(header.shape, header.dtype, order="F" if header.is_fortran else "C")
        flat = array.reshape(-1, order="A").view(np.uint8) if header.size else array
        with self._opened() as file:
            file.read(header.offset)
            filled = 0
            while filled < header.size:
                part = file.read(min(PART, header.size - filled))
                if not part:
                    raise EOFError("the array ends early")
                flat[filled : filled + len(part)] = np.frombuffer(part, np.uint8)
                filled += len(part)
            file.read(1)  # at the end, the checksum is compared
        return array


class ZippedArray(ArchivedArray):
    """An array in an .npz file or a .zip archive."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
        name = info.filename[: -len(".npy")]
        if path.suffix.lower() != ".npz":  # where / may be part of a name
            name = PurePosixPath(name).name
        _check_claims(info, name, path)
        self._info = info
        with archive.open(info) as file:
            super().__init__(name, path, file.read(MAX_HEADER), size=info.file_size)

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        with zipfile.ZipFile(self._path) as archive, archive.open(self._info) as file:
            yield file


class TarredArray(ArchivedArray):
    """An array in a .tar archive; a compressed one is read from its front for every array."""

    def __init__(self, tree: Tar, entry: Entry) -> None:
        self._tree, self._entry = tree, entry
        name = PurePosixPath(entry.name).name[: -len(".npy")]
        with self._opened() as file:
            super().__init__(name, tree.root, file.read(MAX_HEADER), size=entry.size)

    def _opened(self) -> AbstractContextManager[IO[bytes]]:
        return self._tree.opened(self._entry)


def in_archive(path: Path) -> dict[str, StoredArray]:
    """The arrays of an archive, by their names.

    Raises:
        FaultError: it is damaged or holds no arrays; or one leads out of it, has the name of
            another or a size that it cannot have.
    """
    with reading_array(str(path)):
        if path.name.lower().endswith(TAR_SUFFIXES):
            tree = Tar(path)
            _check_names(tree)
            entries = sorted(tree.entries, key=tree.offset)  # the order of reading
            names = [entry.name for entry in entries]
            tarred = (each for each in entries if is_array(each.name))
            return _by_name((TarredArray(tree, each) for each in tarred), names, path)
        if path.suffix.lower() == ".zip":  # in an .npz file, names are no paths
            _check_names(Zip(path))
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if _is_used(info.filename)]
            names = [info.filename for info in members]
            zipped = (info for info in members if is_array(info.filename))
            return _by_name((ZippedArray(archive, info, path) for info in zipped), names, path)


def is_array(name: str) -> bool:
    """Whether a file holds one array, by its name."""
    return name.lower().endswith(".npy")


def check_count(count: int, path: Path, what: str) -> None:
    """Raise a FaultError for no arrays, or too many."""
    if 0 < count <= MAX_ARRAYS:
        return
    message = f"has no {what}" if not count else f"has {count:,} {what}, more than {MAX_ARRAYS:,}"
    hint = "save arrays with numpy.save or numpy.savez"
    raise data_fault(message, hint=hint, place=str(path))


def _by_name(
    arrays: Iterable[ArchivedArray], names: Iterable[str], path: Path
) -> dict[str, StoredArray]:
    """The arrays; `names` are those of all files, with which nothing is read yet."""
    lower = [name.lower() for name in names]
    count = sum(map(is_array, lower))
    if not count and any(name.endswith(".npz") for name in lower):
        message = "holds .npz files, which are archives themselves"
        raise data_fault(message, hint="unpack it, and give one of them", place=str(path))
    check_count(count, path, "arrays")
    found: dict[str, StoredArray] = {}
    for array in arrays:
        if array.name in found:
            message = f"has two arrays of the name {show(array.name)}"
            hint = "give each another one; those of splits: x_train and x_test"
            raise data_fault(message, hint=hint, place=str(path))
        found[array.name] = array
    return found


def _check_names(tree: FileTree) -> None:
    """Raise a FaultError for an array that leads out of its archive, is a link or encrypted."""
    _ = tree.entries  # which finds what is left out
    for each in tree.left_out:
        if is_array(each.name):
            raise data_fault(each.reason, hint=AGAIN, place=tree.place(each.name))


def _is_used(name: str) -> bool:
    return not any(map(is_clutter, name.split("/")))


def _check_claims(info: zipfile.ZipInfo, name: str, path: Path) -> None:
    """Raise a FaultError for a size that a member of an archive cannot have."""
    most = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: MOST_INFLATED}.get(info.compress_type)
    if most is None or info.flag_bits & 1:
        way = "encrypted" if info.flag_bits & 1 else "compressed in a way that NumPy does not use"
        message = f"{name} is {way}"
        raise data_fault(message, hint=AGAIN, place=str(path))
    if info.compress_size > path.stat().st_size or info.file_size > most * info.compress_size:
        message = f"{name} claims {info.file_size:,} bytes, which the file cannot hold"
        raise data_fault(message, hint=AGAIN, place=str(path))
