"""The arrays of a .npy file, or of an .npz file, a .zip archive or a folder of them.

Each is read when it is asked for. Nothing is unpickled, and no size is believed before it has been
compared with that of the file.
"""

from __future__ import annotations

import zipfile
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnnctl.config.wording import show
from cnnctl.data.arrays.header import MAX_HEADER, Header, header_of
from cnnctl.data.file_tree import NO_ARCHIVE, is_clutter
from cnnctl.data.files import ARCHIVE_SUFFIXES, Folder, open_tree
from cnnctl.data.pictures.decoding import is_picture
from cnnctl.data.reading import reading
from cnnctl.data.residence import machine_memory
from cnnctl.errors import FaultError, data_fault
from cnnctl.storage import contents, is_file, is_folder

Array = NDArray[Any]
MAX_ARRAYS = 10_000
PART = 2**22
"""Bytes that are read or hashed at a time."""
MOST_INFLATED = 1032
"""How many bytes a byte that is compressed by deflate can stand for, at most."""
SHARE = 2
"""An array in an .npz file is read into memory up to this part of it: a half."""
ARRAY_SUFFIXES = (".npz", ".npy")
ZIPPED = (".npz", ".zip")


class StoredArray(ABC):
    """An array in a file, which has been found to be as large as its header says."""

    is_mapped = False
    """Whether reading it takes no memory."""

    def __init__(self, name: str, place: str, header: Header) -> None:
        self.name, self.place, self.header = name, place, header
        self.shape, self.dtype = header.shape, header.dtype

    def __len__(self) -> int:
        return self.shape[0] if self.shape else 0

    def read(self) -> Array:
        """The array, mapped if it has a file of its own.

        Raises:
            FaultError: it does not consist of numbers, truth values or texts; is damaged; or is
                too large for memory.
        """
        check_dtype(self)
        with _reading(self.place):
            return self._content()

    def fault(self, message: str, *, hint: str, at: int | None = None) -> FaultError:
        """A fault of this array, or of the sample at this position."""
        where = self.name if at is None else f"{self.name}[{at}]"
        return data_fault(f"{where} {message}", hint=hint, place=self.place)

    @abstractmethod
    def _content(self) -> Array:
        """The array."""


class ArrayFile(StoredArray):
    """An array in a .npy file of its own, which is mapped."""

    is_mapped = True

    def __init__(self, path: Path) -> None:
        place = str(path)
        with _reading(place), path.open("rb") as file:
            header = header_of(file.read(MAX_HEADER), path.stem, place)
        self._path = path
        super().__init__(path.stem, place, header)
        check_size(self, path.stat().st_size)

    def _content(self) -> Array:
        header = self.header
        order: Literal["C", "F"] = "F" if header.is_fortran else "C"
        if not header.size:  # nothing, which cannot be mapped
            return np.empty(header.shape, header.dtype)
        mapped: Array = np.memmap(
            self._path,
            dtype=header.dtype,
            mode="r",
            offset=header.offset,
            shape=header.shape,
            order=order,
        )
        return mapped


class ArchivedArray(StoredArray):
    """An array in an .npz file or a .zip archive, which is read into memory."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
        name, place = info.filename[: -len(".npy")], str(path)
        if path.suffix.lower() != ".npz":  # where / may be part of a name
            name = PurePosixPath(name).name
        _check_claims(info, name, path)
        with archive.open(info) as file:
            header = header_of(file.read(MAX_HEADER), name, place)
        self._path, self._info = path, info
        super().__init__(name, place, header)
        check_size(self, info.file_size)

    def _content(self) -> Array:
        header = self.header
        if header.size > machine_memory() // SHARE:
            message = f"takes {header.size:,} bytes, more than half of the memory"
            hint = f"unzip {self._path.name} into a folder and give that: its files are mapped"
            raise self.fault(message, hint=hint)
        array = np.empty(header.shape, header.dtype, order="F" if header.is_fortran else "C")
        flat = array.reshape(-1, order="A").view(np.uint8) if header.size else array
        with zipfile.ZipFile(self._path) as archive, archive.open(self._info) as file:
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


def open_arrays(path: Path) -> dict[str, StoredArray]:
    """The arrays in a file or a folder, by their names; only their headers are read.

    Raises:
        FaultError: it is not there, cannot be read, or is damaged; or a header is not that of an
            array of its size.
    """
    if is_folder(path):
        return _in_folder(path)
    if not is_file(path):
        hint = "check data.path, or give the file with --data"
        raise data_fault("no such file or folder", hint=hint, place=str(path))
    if path.suffix.lower() == ".npy":
        return {path.stem: ArrayFile(path)}
    if path.suffix.lower() in ZIPPED:
        return _in_archive(path)
    hint = "give an .npz file, or a folder or a .zip archive of .npy files"
    raise data_fault("holds no NumPy arrays", hint=hint, place=str(path))


def has_arrays(source: Path) -> bool:
    """Whether a folder directly contains .npy files, or an archive has arrays and no pictures."""
    if is_folder(source):
        return any(_is_array(path.name) for path in contents(source))
    if not source.name.lower().endswith(ARCHIVE_SUFFIXES):
        return False
    tree = open_tree(source)
    try:
        names = [entry.name for entry in tree.entries]
    except FaultError:  # reported by whoever reads it
        return False
    names += [each.name for each in tree.left_out]  # reading them tells why
    are_arrays = any(name.lower().endswith(ARRAY_SUFFIXES) for name in names)
    return are_arrays and not any(map(is_picture, names))


def _in_folder(path: Path) -> dict[str, StoredArray]:
    names = [entry.name for entry in Folder(path).entries if "/" not in entry.name]
    names = [name for name in names if _is_array(name)]
    _check_count(len(names), path, ".npy files")
    return {array.name: array for array in (ArrayFile(path / name) for name in names)}


def _is_array(name: str) -> bool:
    return name.lower().endswith(".npy")


def _in_archive(path: Path) -> dict[str, StoredArray]:
    with _reading(str(path)), zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if _is_used(info.filename)]
        arrays = [info for info in members if _is_array(info.filename)]
        if not arrays and any(info.filename.lower().endswith(".npz") for info in members):
            message = "holds .npz files, which are archives themselves"
            raise data_fault(message, hint="unpack it, and give one of them", place=str(path))
        _check_count(len(arrays), path, "arrays")
        found: dict[str, StoredArray] = {}
        for info in arrays:
            array = ArchivedArray(archive, info, path)
            if array.name in found:
                message = f"has two arrays of the name {show(array.name)}"
                hint = "give each another one; those of splits: x_train and x_test"
                raise data_fault(message, hint=hint, place=str(path))
            found[array.name] = array
    return found


def _is_used(name: str) -> bool:
    return not any(map(is_clutter, name.split("/")))


def _check_count(count: int, path: Path, what: str) -> None:
    if 0 < count <= MAX_ARRAYS:
        return
    message = f"has no {what}" if not count else f"has {count:,} {what}, more than {MAX_ARRAYS:,}"
    hint = "save arrays with numpy.save or numpy.savez"
    raise data_fault(message, hint=hint, place=str(path))


def _check_claims(info: zipfile.ZipInfo, name: str, path: Path) -> None:
    """Raise a FaultError for a size that a member of an archive cannot have."""
    most = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: MOST_INFLATED}.get(info.compress_type)
    hint = "save it again, with numpy.savez, or zip the .npy files again"
    if most is None or info.flag_bits & 1:
        way = "encrypted" if info.flag_bits & 1 else "compressed in a way that NumPy does not use"
        message = f"{name} is {way}"
        raise data_fault(message, hint=hint, place=str(path))
    if info.compress_size > path.stat().st_size or info.file_size > most * info.compress_size:
        message = f"{name} claims {info.file_size:,} bytes, which the file cannot hold"
        raise data_fault(message, hint=hint, place=str(path))


def check_size(array: StoredArray, size: int) -> None:
    """Raise a FaultError unless a file of this size holds the array and nothing more."""
    header = array.header
    if size == header.offset + header.size or array.dtype.hasobject:
        return
    held = f"{size - header.offset:,} bytes of numbers, but {header.size:,} by its header"
    is_short = size < header.offset + header.size
    message = f"has {held}{': the file is truncated' if is_short else ''}"
    raise array.fault(message, hint="copy or save the file again")


def check_dtype(array: StoredArray) -> None:
    """Raise a FaultError unless an array consists of numbers, truth values or texts."""
    dtype = array.dtype
    if dtype.hasobject:
        message = "holds Python objects, which are not read since unpickling them can run code"
        hint = "save numbers or texts: numpy.array(x, dtype=float), or numpy.array(x, dtype=str)"
        raise array.fault(message, hint=hint)
    if dtype.names or dtype.kind not in "biufUS":
        hint = "save its parts as arrays of numbers"
        raise array.fault(f"is of dtype {show(str(dtype))}, not of numbers or texts", hint=hint)


def _reading(place: str) -> AbstractContextManager[None]:
    found, cure = "is damaged, or not a file of arrays", "copy or save the file again"
    return reading(place, damage=NO_ARCHIVE, found=found, cure=cure)
