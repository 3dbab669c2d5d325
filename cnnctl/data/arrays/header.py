"""The header that a .npy file starts with; nothing in it is evaluated or unpickled."""

from __future__ import annotations

import tokenize
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from math import prod
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from cnnctl.data.samples import Shape
from cnnctl.errors import data_fault

MAX_HEADER = 2**14
"""Bytes of a header; NumPy itself accepts 10,000."""
NO_HEADER = (
    *(TypeError, OverflowError, RecursionError, SyntaxError, MemoryError),
    *(LookupError, AttributeError, tokenize.TokenError),
)
"""What NumPy raises for invalid headers, besides ValueError."""
HEADERS: dict[tuple[int, int], Callable[[IO[bytes]], tuple[Shape, bool, np.dtype[Any]]]] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}
"""Readers of headers, by format version; other versions are for structured arrays."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header of an array."""

    shape: Shape
    dtype: np.dtype[Any]
    is_fortran: bool
    """Whether the first index varies fastest."""
    offset: int
    """Bytes before the numbers."""

    @property
    def size(self) -> int:
        """Bytes of the numbers."""
        return prod(self.shape) * self.dtype.itemsize


def header_of(start: bytes, name: str, place: str) -> Header:
    """The header that a .npy file starts with.

    Raises:
        FaultError: there is none.
    """
    file = BytesIO(start)
    try:
        version = npy.read_magic(file)
        if version not in HEADERS:
            raise ValueError(
                f"its format is {version[0]}.{version[1]}, which is for structured arrays"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 2's headers, and dtypes of older versions
            shape, is_fortran, dtype = HEADERS[version](file)
        if any(side < 0 for side in shape):
            raise ValueError(f"its shape is {shape}")
    except (ValueError, *NO_HEADER) as error:
        message = f"{name} is not an array: {' '.join(str(error).split())[:200]}"
        raise data_fault(message, hint="save it with numpy.save", place=place) from None
    return Header(shape, dtype, is_fortran, file.tell())
