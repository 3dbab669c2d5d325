"""Numbers in memory, as arrays and datasets treat those in files."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnnctl.data.arrays.header import Header
from cnnctl.data.arrays.stored import Array, StoredArray

NUMBERS = "biuf"
"""NumPy's kinds of numbers and truth values."""
MAX_DEPTH = 8
"""Of lists within lists."""


class GivenArray(StoredArray):
    """An array in memory; `place` is what messages call it."""

    is_mapped = True

    def __init__(self, array: Array, place: str) -> None:
        super().__init__("the array", place, Header(array.shape, array.dtype, False, 0))
        self._array = array

    def _content(self) -> Array:
        return self._array


def array_of(tensor: Tensor) -> Array:
    """A tensor as an array, in memory of the CPU; bfloat16, which NumPy lacks, as float32."""
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    array: Array = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


def nested_numbers(given: list[Any] | tuple[Any, ...]) -> Array | None:
    """Lists of numbers, also nested, as an array; None if they hold other things or are ragged."""
    first: object = given
    for _ in range(MAX_DEPTH):
        if not isinstance(first, list | tuple) or not first:
            break
        first = first[0]
    if not is_number(first):
        return None
    try:
        array = np.array(given)
    except (ValueError, OverflowError):
        return None
    return array if array.dtype.kind in NUMBERS else None


def is_number(given: object) -> bool:
    """Whether this is a single number or truth value, of Python or NumPy."""
    return isinstance(given, int | float | np.number | np.bool_)
