"""New inputs for a trained network that are given as objects, not named.

A sample is a picture (of Pillow, an array, a tensor, or the bytes of its file), an array or a
tensor of its numbers, nested lists of them, or a row: a mapping from columns to cells. Several are
a batch of an array or a tensor, a data frame, or any iterable of the others, also mixed.

Arrays hold what a dataset stores, as a .npy file does: pixels from 0 to 255 as bytes or from 0 to
1 as floating-point numbers, features, signals; none are normalised. A picture of another size or
mode than the network's is treated as if it were read from a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, cast

import numpy as np
from PIL import Image
from torch import Tensor

from cnnctl.data.arrays.given import MAX_DEPTH, GivenArray, array_of, is_number, nested_numbers
from cnnctl.data.arrays.stored import Array, check_dtype
from cnnctl.data.dataset import DataSet
from cnnctl.data.inputs import (
    Input,
    inputs_at,
    inputs_in_array,
    inputs_in_table,
    picture_form_of,
    unreadable,
)
from cnnctl.data.pictures.given import fitted_pixels, pictures_in, scaling_hint
from cnnctl.data.pictures.reading import decoded_picture, image_pixels
from cnnctl.data.tables.given import is_frame, table_of_frame, table_of_rows
from cnnctl.data.tables.reading import Table
from cnnctl.errors import FaultError, data_fault

NAME = "inputs"
FORMS = "give a picture, an array, a tensor, a row (a mapping), or a list of them"
Open = Callable[[str, DataSet], Iterator[Input]] | None
"""Opens what a path leads to; None if paths are refused."""


def given_inputs(given: object, data: DataSet, *, name: str = NAME) -> Iterator[Input]:
    """The samples that an object is, or holds; see the module. No file is read: paths are refused.

    name: what messages call the object; samples are `name`, or `name[0]`, `name[1]`, …

    Of what is no sample or does not fit the network, `read` raises the fault.
    """
    return _deferred(given, data, name, None)


def named_or_given_inputs(given: object, data: DataSet, *, name: str = NAME) -> Iterator[Input]:
    """The same, where a text or a path is a file, a folder or an archive to read samples from."""
    return _deferred(given, data, name, inputs_at)


def _deferred(given: object, data: DataSet, name: str, opened: Open) -> Iterator[Input]:
    """The inputs; a fault in finding them is raised by one that takes their place."""
    try:
        yield from _inputs_of(given, data, name, opened)
    except FaultError as error:
        yield unreadable(name, error)


def _inputs_of(given: object, data: DataSet, name: str, opened: Open) -> Iterator[Input]:
    match given:
        case str() | os.PathLike():
            if opened is None:
                raise data_fault("a text is no sample", hint=FORMS, place=name)
            return opened(os.fsdecode(given), data)
        case bytes() | bytearray() | memoryview():
            return _one(name, decoded_picture, bytes(given), data)
        case Image.Image():
            return _one(name, image_pixels, given, data)
        case Mapping():
            return _rows([given], data, name)
        case Tensor():
            return _array(array_of(given), data, name)
        case list() | tuple():
            return _several(given, data, name, opened)
    return _others(given, data, name, opened)


def _others(given: object, data: DataSet, name: str, opened: Open) -> Iterator[Input]:
    """The inputs in an object of another library, in an array or in an iterable."""
    if is_frame(given):
        return _table(table_of_frame(given, place=name), data)
    if isinstance(given, np.ndarray) and given.dtype.hasobject:
        return _each(given.tolist(), data, name, opened)
    if isinstance(given, np.ndarray) or is_number(given):
        return _array(np.asarray(given), data, name)
    if hasattr(given, "to_dict"):  # a row of a data frame
        return _rows([cast("Any", given).to_dict()], data, name)
    if hasattr(given, "__array__"):
        return _array(np.asarray(given), data, name)
    if isinstance(given, Iterable):
        return _each(given, data, name, opened)
    message = f"{type(given).__name__} is no sample"
    raise data_fault(message, hint=FORMS, place=name)


def _one(name: str, read: Callable[..., Tensor], given: object, data: DataSet) -> Iterator[Input]:
    """A single picture, which `read` brings to the form of the dataset."""
    yield Input(name, partial(read, given, picture_form_of(data), place=name))


def _several(
    given: list[Any] | tuple[Any, ...], data: DataSet, name: str, opened: Open
) -> Iterator[Input]:
    if given and all(isinstance(item, Mapping) for item in given):
        return _rows(given, data, name)
    numbers = nested_numbers(given)
    if numbers is not None:
        return _array(numbers, data, name)
    return _each(given, data, name, opened)


def _each(given: Iterable[object], data: DataSet, name: str, opened: Open) -> Iterator[Input]:
    if name.count("[") >= MAX_DEPTH:
        raise data_fault(f"lists are nested more than {MAX_DEPTH} deep", hint=FORMS, place=name)
    for at, item in enumerate(given):
        yield from _deferred(item, data, f"{name}[{at}]", opened)


def _rows(rows: Iterable[Mapping[Any, object]], data: DataSet, name: str) -> Iterator[Input]:
    needed = [column for column, width in data.input_names().items() if width]
    return _table(table_of_rows(list(rows), needed, place=name), data)


def _table(table: Table, data: DataSet) -> Iterator[Input]:
    if data.picture_form() is not None:  # a table may name files, which are not to be opened
        message = "the network takes pictures, not rows"
        raise data_fault(message, hint="give the pictures, or their paths", place=table.place)
    return inputs_in_table(table, data)


def _array(array: Array, data: DataSet, name: str) -> Iterator[Input]:
    given, form = GivenArray(array, name), data.picture_form()
    check_dtype(given)
    if form is None or data.array_form().fits(given):
        _check_pixels(array, data, name)
        yield from inputs_in_array(given, data.array_form(), place=name)
        return
    for place, picture in pictures_in(array, place=name):
        yield Input(place, partial(fitted_pixels, picture, form, place=place))


def _check_pixels(array: Array, data: DataSet, name: str) -> None:
    """Raise a FaultError for floating-point pixels from 0 to 255 where white is 1."""
    is_plain = data.picture_form() is not None and data.array_form().white == 1
    if not is_plain or array.dtype.kind != "f" or not array.size:
        return
    high = float(array.max())
    if high > 1 and (array == np.rint(array)).all():
        message = f"pixels of {array.dtype} up to {high:g}, not from 0 to 1"
        raise data_fault(message, hint=scaling_hint(high, 1), place=name)
