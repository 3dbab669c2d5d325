"""The arrays of a .npy file, or of an .npz file, an archive or a folder of them.

Each is read when it is asked for. Nothing is unpickled, and no size is believed before it has been
compared with that of the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from cnnctl.data.arrays.archives import ARCHIVES, check_count, in_archive, is_array
from cnnctl.data.arrays.header import MAX_HEADER, header_of
from cnnctl.data.arrays.stored import Array, StoredArray, check_size, reading_array
from cnnctl.data.files import ARCHIVE_SUFFIXES, Folder, open_tree
from cnnctl.data.pictures.decoding import is_picture
from cnnctl.errors import FaultError, data_fault
from cnnctl.paths import is_file, is_folder
from cnnctl.storage import contents

ARRAY_SUFFIXES = (".npz", ".npy")


class ArrayFile(StoredArray):
    """An array in a .npy file of its own, which is mapped."""

    is_mapped = True

    def __init__(self, path: Path) -> None:
        place = str(path)
        with reading_array(place), path.open("rb") as file:
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
    if path.name.lower().endswith(ARCHIVES):
        return in_archive(path)
    hint = "give an .npz file, or a folder or an archive (.zip, .tar) of .npy files"
    raise data_fault("holds no NumPy arrays", hint=hint, place=str(path))


def has_arrays(source: Path) -> bool:
    """Whether a folder directly contains .npy files, or an archive has arrays and no pictures."""
    if is_folder(source):
        return any(is_array(path.name) for path in contents(source))
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
    names = [name for name in names if is_array(name)]
    check_count(len(names), path, ".npy files")
    return {array.name: array for array in (ArrayFile(path / name) for name in names)}
