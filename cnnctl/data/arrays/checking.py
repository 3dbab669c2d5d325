"""The content of an array: whether float32 represents it, and its hash."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from math import prod

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.arrays.archives import PART
from cnnctl.data.arrays.stored import Array, StoredArray
from cnnctl.data.conformity import EXACT
from cnnctl.errors import FaultError

LARGEST = float(np.finfo(np.float32).max)


def digest_of(array: StoredArray, content: Array) -> str:
    """A SHA-256 of the shape, the dtype and all numbers, read a few megabytes at a time."""
    digest = sha256(f"{array.shape} {array.dtype.str}".encode())
    for _, part in _parts(content):
        digest.update(np.ascontiguousarray(part).view(np.uint8).data)
    return digest.hexdigest()


def check_numbers(array: StoredArray, content: Array) -> None:
    """Raise a FaultError, naming the first sample, for numbers that float32 cannot represent."""
    if content.dtype.kind not in "fiu" or content.dtype.itemsize == 1:
        return
    is_float, first, count = content.dtype.kind == "f", None, 0
    for start, part in _parts(content):
        wrong = ~(np.abs(part) <= LARGEST) if is_float else _inexact(part)
        if wrong.any():
            first = first or (part, wrong, start)
            count += int(wrong.reshape(len(part), -1).any(axis=1).sum())
    if first:
        raise _unfit(array, *first, count)


def _inexact(part: Array) -> NDArray[np.bool_]:
    return np.asarray((part > EXACT) | (part < -EXACT) if part.dtype.kind == "i" else part > EXACT)


def _unfit(array: StoredArray, part: Array, wrong: Array, start: int, count: int) -> FaultError:
    """The fault of the first of `count` samples, which is in this part."""
    at = int(wrong.reshape(len(part), -1).any(axis=1).argmax())
    number = part[at][wrong[at]].flat[0] if part.ndim > 1 else part[at]
    others = f", as {count - 1:,} more of {len(array):,} samples do" if count > 1 else ""
    if not np.isfinite(number):
        hint = "remove such samples, or fill in the missing values, as numpy.nan_to_num does"
        message = f"is not finite: it has {number:g}{others}"
        return array.fault(message, hint=hint, at=start + at)
    message = f"has {number:g}, which float32 cannot represent{others}"
    return array.fault(message, hint=f"scale the numbers to at most {EXACT:,}", at=start + at)


def _parts(content: Array) -> Iterator[tuple[int, Array]]:
    """The array in parts of a few megabytes, each with the position of its first sample."""
    rows = max(1, PART // max(1, prod(content.shape[1:]) * content.dtype.itemsize))
    for start in range(0, len(content), rows):
        yield start, content[start : start + rows]
