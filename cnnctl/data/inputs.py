"""New inputs for a trained network: pictures, tables and arrays, wherever they are named."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, NoReturn

import torch
from torch import Tensor

from cnnctl.config.wording import shape_of_sample
from cnnctl.data.arrays.form import ArrayForm
from cnnctl.data.arrays.naming import inputs_in
from cnnctl.data.arrays.reading import ARRAY_SUFFIXES, has_arrays, open_arrays
from cnnctl.data.arrays.stored import StoredArray
from cnnctl.data.conformity import conformed_inputs
from cnnctl.data.dataset import DataSet
from cnnctl.data.file_tree import FileTree
from cnnctl.data.files import ARCHIVE_SUFFIXES, open_tree
from cnnctl.data.pictures.decoding import MAX_BYTES, is_picture
from cnnctl.data.pictures.reading import decoded_picture, read_picture
from cnnctl.data.pictures.worker import PictureForm
from cnnctl.data.rows import Rows
from cnnctl.data.tables.files import TABLE_SUFFIXES, is_archive
from cnnctl.data.tables.reading import Table, read_table
from cnnctl.errors import FaultError, closest, data_fault, did_you_mean
from cnnctl.paths import is_folder
from cnnctl.storage import read_regular, reading_cure

STDIN = "-"
MAX_NAMES = 2**28
"""Bytes of the names on standard input."""


@dataclass(frozen=True, slots=True)
class Input:
    """A sample to answer for: its name, and what reads it as the dataset stores it."""

    name: str
    read: Callable[[], Tensor]
    """(C, H, W) uint8, or float32 of the shape of a sample; raises FaultError."""


def find_inputs(words: Sequence[str], data: DataSet, *, stdin: BinaryIO) -> Iterator[Input]:
    """The inputs that are named: files, folders, patterns, archives; `-` reads names from stdin.

    Of what is not there or cannot be opened, `read` raises the fault.
    """
    for word in words:
        names = _names_from(stdin) if word == STDIN else _matches(word)
        for name in names:
            try:
                yield from inputs_at(name, data)
            except FaultError as error:
                yield unreadable(name, error)


def unreadable(name: str, error: FaultError) -> Input:
    """An input that cannot be read: `read` raises this fault."""
    return Input(name, partial(_raise, error))


def _raise(error: FaultError) -> NoReturn:
    raise error


def _names_from(stdin: BinaryIO) -> Iterator[str]:
    """Names, one a line, or each ended by a NUL character as `find -print0` does."""
    content = stdin.read(MAX_NAMES)
    separator = b"\0" if b"\0" in content else b"\n"
    yield from (os.fsdecode(name) for name in content.split(separator) if name.strip())


def _matches(word: str) -> list[str]:
    """The files that a pattern means, where no shell has expanded it."""
    if os.path.lexists(word) or not glob.has_magic(word):
        return [word]
    return sorted(glob.glob(word, recursive=True)) or [word]  # noqa: PTH207  (takes any root)


def inputs_at(name: str, data: DataSet) -> Iterator[Input]:
    """The inputs in a file, a folder or an archive.

    Raises:
        FaultError: it holds none, or cannot be opened.
    """
    path, lower = Path(name), name.lower()
    if has_arrays(path):
        yield from _rows_of(path, data)
    elif lower.endswith(TABLE_SUFFIXES) or (is_archive(path) and not data.picture_form()):
        yield from inputs_in_table(read_table(path), data)
    elif is_folder(path) or lower.endswith(ARCHIVE_SUFFIXES):
        yield from _below(open_tree(path), data)
    elif lower.endswith(ARRAY_SUFFIXES):
        yield from _rows_of(path, data)
    else:
        yield Input(name, partial(_read_picture, path, data))


def _below(tree: FileTree, data: DataSet) -> Iterator[Input]:
    form = picture_form_of(data)
    pictures = [entry for entry in tree.entries if is_picture(entry.name)]
    if not pictures:
        message = f"has no pictures among {len(tree.entries):,} files"
        raise data_fault(message, hint="check the path", place=str(tree.root))
    for entry in sorted(pictures, key=tree.offset):
        yield Input(tree.place(entry.name), partial(read_picture, tree, entry, form))


def _read_picture(path: Path, data: DataSet) -> Tensor:
    form, place = picture_form_of(data), str(path)
    try:
        content = read_regular(path, limit=MAX_BYTES)
    except OSError as error:
        hint = _similar(path) if isinstance(error, FileNotFoundError) else reading_cure(error)
        message = f"cannot be read: {error.strerror}"
        raise data_fault(message, hint=hint, place=place) from None
    return decoded_picture(content, form, place=place)


def _similar(path: Path) -> str:
    there = [each.name for each in path.parent.iterdir()] if is_folder(path.parent) else []
    close = [path.parent / name for name in closest(path.name, there)]
    return did_you_mean(close) or "check the path"


def picture_form_of(data: DataSet) -> PictureForm:
    """The form of the pictures of a dataset.

    Raises:
        FaultError: its samples are no pictures.
    """
    form = data.picture_form()
    if form is None:
        shape = shape_of_sample(data.whole().shape)
        message = f"the network takes samples of {shape}, which are not pictures"
        raise data_fault(message, hint=data.inputs_hint())
    return form


def inputs_in_table(table: Table, data: DataSet) -> Iterator[Input]:
    """The samples in a table, each named by its line, or as the table names it."""
    for name, read in data.readers(table):
        yield Input(name, read)


def _rows_of(path: Path, data: DataSet) -> Iterator[Input]:
    """The samples in the array that a file has, or in that of inputs."""
    form, arrays = data.array_form(), open_arrays(path)
    chosen = inputs_in(arrays, form.name)
    if len(chosen) != 1:
        held = f"{', '.join(array.name for array in chosen) or 'none'} of {len(arrays)} arrays"
        message = f"has no single array of inputs: {held} may be it"
        raise data_fault(message, hint="save one array, with numpy.save", place=str(path))
    [array] = chosen
    yield from inputs_in_array(
        array, form, place=array.place if len(arrays) == 1 else f"{path}: {array.name}"
    )


def inputs_in_array(array: StoredArray, form: ArrayForm, *, place: str) -> Iterator[Input]:
    """The samples in an array, (N, …), or the single one that it is.

    Raises:
        FaultError: they are of another shape, or no numbers.
    """
    if (single := form.single(array)) is not None:
        yield Input(place, partial(_read_sample, single, 0, place))
        return
    rows = form.rows(array)
    for row in range(len(rows)):
        yield Input(f"{place}[{row}]", partial(_read_sample, rows, row, f"{place}[{row}]"))


def _read_sample(rows: Rows, row: int, place: str) -> Tensor:
    return conformed_inputs(rows.take(torch.tensor([row])), what=place)[0]
