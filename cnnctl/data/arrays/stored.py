"""An array in a file, whatever the file is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Any

from numpy.typing import NDArray

from cnnctl.config.wording import show
from cnnctl.data.arrays.header import Header
from cnnctl.data.file_tree import NO_ARCHIVE
from cnnctl.data.reading import reading
from cnnctl.errors import FaultError, data_fault

Array = NDArray[Any]


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
        with reading_array(self.place):
            return self._content()

    def fault(self, message: str, *, hint: str, at: int | None = None) -> FaultError:
        """A fault of this array, or of the sample at this position."""
        where = self.name if at is None else f"{self.name}[{at}]"
        return data_fault(f"{where} {message}", hint=hint, place=self.place)

    @abstractmethod
    def _content(self) -> Array:
        """The array."""


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


def reading_array(place: str) -> AbstractContextManager[None]:
    """Turn what reading an array raises, beside FaultErrors, into a fault at this place."""
    found, cure = "is damaged, or not a file of arrays", "copy or save the file again"
    return reading(place, damage=NO_ARCHIVE, found=found, cure=cure)
