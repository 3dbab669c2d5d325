"""Rows: the inputs of samples, wherever they are stored.

Splitting, shuffling and resuming move positions, never rows, and work with any kind of rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.data.reading import reading
from cnnctl.errors import data_fault, storage_fault

Change = Callable[[Tensor], Tensor]
"""A function of batches that treats rows independently; (B, …) in and out."""
CHUNK = 2**21
"""Numbers in a chunk: 2 MB as uint8, 8 MB as float32."""
NO_ARRAY = (ValueError, TypeError, OverflowError, RecursionError)
"""Errors of NumPy for other or truncated files, and of torch for unsupported dtypes."""


class Rows(ABC):
    """Inputs of N samples; shape (N, …) and dtype are those of a tensor of all inputs."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    readers: int = 1
    """How many calls of `take` at once are quicker than one after another."""

    @abstractmethod
    def take(self, positions: Tensor) -> Tensor:
        """A copy of the rows at these positions (B,), in this order."""

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Number of dimensions, including that of the rows."""
        return len(self.shape)

    def chunks(self, positions: Tensor | None = None) -> Iterator[Tensor]:
        """All rows, or those at these positions, in order and a few megabytes at a time."""
        positions = torch.arange(len(self)) if positions is None else positions
        for some in torch.split(positions, max(1, CHUNK // prod(self.shape[1:]))):
            yield self.take(some)

    def changed(self, change: Change) -> Rows:
        """The same rows, with a function applied to each batch that is taken."""
        return ChangedRows(self, change)

    def to(self, target: torch.device | torch.dtype) -> Rows:
        """The same rows on a device, or converted to a dtype."""
        return self.changed(lambda batch: batch.to(target))


class TensorRows(Rows):
    """Rows of a tensor, (N, …), in memory or on a device; a function is applied at once."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.shape, self.dtype = tuple(tensor.shape), tensor.dtype

    def take(self, positions: Tensor) -> Tensor:
        return self.tensor.index_select(0, positions)

    def changed(self, change: Change) -> Rows:
        return TensorRows(change(self.tensor))


class MappedRows(Rows):
    """Rows of an array in a file, (N, …); only the requested ones are read, and converted."""

    def __init__(
        self, array: NDArray[Any], convert: Callable[[NDArray[Any]], Tensor] = torch.from_numpy
    ) -> None:
        self._array, self._convert = array, convert
        none = convert(array.take([], axis=0))
        self.shape, self.dtype = (len(array), *none.shape[1:]), none.dtype

    @classmethod
    def open(cls, file: Path) -> MappedRows:
        """The rows of a .npy file.

        Raises:
            FaultError: it cannot be read, is not a .npy file, is truncated, or has a dtype that
                torch lacks.
        """
        found, cure = "is not a .npy file of numbers", "write it with numpy.save"
        with reading(str(file), damage=NO_ARRAY, found=found, cure=cure):
            return cls(open_memmap(file, mode="r"))  # which does not read pickles

    @classmethod
    def write(cls, rows: Iterable[Tensor], *, folder: Path) -> MappedRows:
        """Write rows, one by one, to an unnamed file, which disappears with the process.

        Raises:
            FaultError: there are none, or the disk is full, read-only, …
        """
        count, row = 0, torch.empty(0)
        with ExitStack() as stack:
            with _writing(folder):
                file = stack.enter_context(TemporaryFile(dir=folder))
            for row in rows:
                with _writing(folder):
                    file.write(row.contiguous().numpy().data)
                count += 1
            with _writing(folder):
                file.flush()
            if not count:
                message, hint = "no rows to write", "check the data"
                raise data_fault(message, hint=hint, place=str(folder))
            return cls(np.memmap(file, row.numpy().dtype, "r", shape=(count, *row.shape)))

    def take(self, positions: Tensor) -> Tensor:
        return self._convert(self._array.take(positions.cpu().numpy(), axis=0))


class SelectedRows(Rows):
    """Some of other rows, in any order."""

    def __init__(self, rows: Rows, kept: Tensor) -> None:
        self._rows, self._kept = rows, kept
        self.shape, self.dtype = (len(kept), *rows.shape[1:]), rows.dtype
        self.readers = rows.readers

    def take(self, positions: Tensor) -> Tensor:
        return self._rows.take(self._kept[positions.cpu()])


class JoinedRows(Rows):
    """The rows of several parts of one shape, one part after another."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self._parts = parts
        self._ends = torch.tensor([len(part) for part in parts]).cumsum(0)
        self.shape, self.dtype = (int(self._ends[-1]), *parts[0].shape[1:]), parts[0].dtype
        self.readers = max(part.readers for part in parts)

    def take(self, positions: Tensor) -> Tensor:
        positions = positions.cpu()
        taken = torch.empty(len(positions), *self.shape[1:], dtype=self.dtype)
        owners = torch.bucketize(positions, self._ends, right=True)
        for number, part in enumerate(self._parts):
            own = (owners == number).nonzero()[:, 0]
            if len(own):
                before = int(self._ends[number]) - len(part)
                taken[own] = part.take(positions[own] - before)
        return taken


class ChangedRows(Rows):
    """Other rows, with a function applied to each batch that is taken."""

    def __init__(self, rows: Rows, change: Change) -> None:
        self._rows, self._change = rows, change
        first = self.take(torch.zeros(1, dtype=torch.int64))
        self.shape, self.dtype = (len(rows), *first.shape[1:]), first.dtype
        self.readers = rows.readers

    def take(self, positions: Tensor) -> Tensor:
        return self._change(self._rows.take(positions))


def in_memory(rows: Rows) -> TensorRows:
    """The same rows in memory, copied a few megabytes at a time."""
    tensor, start = torch.empty(rows.shape, dtype=rows.dtype), 0
    for chunk in rows.chunks():
        tensor[start : start + len(chunk)] = chunk
        start += len(chunk)
    return TensorRows(tensor)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message, hint = (
            f"cannot be written to: {error.strerror}",
            "free some space, or keep rows in memory",
        )
        raise storage_fault(message, hint=hint, place=str(folder)) from None
