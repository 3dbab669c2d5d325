"""How an array of inputs becomes samples: its axes, and what its numbers mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.data.arrays.stored import Array, StoredArray, check_dtype
from cnnctl.data.normalization import WHITE
from cnnctl.data.rows import MappedRows, Rows
from cnnctl.data.samples import Shape

Layout = Literal["channels_first", "channels_last"]
MOST_CHANNELS = 4
"""Sides up to which one is taken for the channels of images."""
FEW_CHANNELS, LONG = 16, 4
"""Channels of a signal, at most, and how many times longer it is, for an array that does not say
that it is one."""
SIGNAL_DIMENSIONS, IMAGE_DIMENSIONS = 2, 3
BYTE_WHITES = (1, WHITE)


def shape_of(array: StoredArray, layout: Layout | Literal["auto"]) -> tuple[Shape, Layout]:
    """The shape of a sample, (F,), (C, L) or (C, H, W), and the layout of the array.

    (N, F) are vectors; (N, H, W) grey images, or signals if a layout is given or they are at most
    16 channels that are at least four times as long; and of (N, H, W, C) and (N, C, H, W), channels
    are the only side up to 4, or else the side that differs from two equal ones.

    Raises:
        FaultError: the layout cannot be told, or the array has other dimensions.
    """
    sides = array.shape[1:]
    if not 1 <= len(array.shape) <= IMAGE_DIMENSIONS + 1 or 0 in array.shape:
        message = f"has the shape {array.shape}, which does not fit samples"
        hint = "save (N, F) vectors, (N, C, L) signals or (N, H, W, C) images"
        raise array.fault(message, hint=hint)
    if len(sides) < SIGNAL_DIMENSIONS:
        return (prod(sides),), "channels_first"
    if len(sides) == SIGNAL_DIMENSIONS:
        return _shape_of_plane(sides, layout)
    if layout == "auto":
        layout = _image_layout(array)
    return (sides if layout == "channels_first" else (sides[2], *sides[:2])), layout


def _shape_of_plane(sides: Shape, layout: Layout | Literal["auto"]) -> tuple[Shape, Layout]:
    if layout == "auto":
        shorter, longer = sorted(sides)
        if shorter > FEW_CHANNELS or longer < LONG * shorter:
            return (1, *sides), "channels_first"
        layout = "channels_first" if sides[0] == shorter else "channels_last"
    return (sides if layout == "channels_first" else (sides[1], sides[0])), layout


def _image_layout(array: StoredArray) -> Layout:
    first, middle, last = array.shape[1:]
    if (first <= MOST_CHANNELS) != (last <= MOST_CHANNELS):
        return "channels_first" if first <= MOST_CHANNELS else "channels_last"
    if middle in (first, last) and first != last:
        return "channels_last" if middle == first else "channels_first"
    message = f"has the shape {array.shape}, any side of which may be the channels"
    raise array.fault(message, hint="set data.layout to channels_first or channels_last")


@dataclass(frozen=True, slots=True)
class ArrayForm:
    """What the samples of arrays are turned into.

    Images of bytes, or of other integers from 0 to 255, are stored as bytes; all else as float32.
    """

    shape: Shape
    """Of a sample: (F,), (C, L) or (C, H, W)."""
    layout: Layout = "channels_first"
    """The order of axes, where a shape can be read both ways."""
    white: float | None = 1.0
    """The number for a white pixel where images are not of bytes; None if the numbers are no
    pixels."""
    name: str = ""
    """The array to take from a file that holds several."""
    fill: tuple[float, ...] | None = None
    """What signals of other lengths are padded with at the end, for each channel, or cut; None
    if they are refused."""

    def rows(self, array: StoredArray) -> Rows:
        """The samples of an array, (N, *shape).

        Raises:
            FaultError: they are of another shape, or no numbers; or the file is damaged.
        """
        self.check(array)
        return MappedRows(array.read(), lambda taken: self._converted(taken, array))

    def single(self, array: StoredArray) -> Rows | None:
        """The one sample that an array is, (1, *shape); None if it is of several."""
        if self.axes(array.shape) is None:
            return None
        _check_numbers(array)
        return MappedRows(array.read()[None], lambda taken: self._converted(taken, array))

    def fits(self, array: StoredArray) -> bool:
        """Whether an array is a sample of this form, or several (N, …), by its shape."""
        return any(self.axes(sides) is not None for sides in (array.shape, array.shape[1:]))

    def check(self, array: StoredArray) -> None:
        """Raise a FaultError unless an array holds samples of this form; it is not read."""
        _check_numbers(array)
        if not array.shape or self.axes(array.shape[1:]) is None:
            message = f"has the shape {array.shape}, not (N, {', '.join(map(str, self._sides()))})"
            raise array.fault(message, hint="give samples of the same form as in training")

    def _sides(self) -> Shape:
        """The shape of a sample in an array of this layout."""
        return self.shape if self.layout == "channels_first" else (*self.shape[1:], self.shape[0])

    def axes(self, sides: Shape) -> Shape | None:
        """The axes of a batch in the order of `shape`; None if a sample does not fit.

        The axis of channels is -1 where the array has none.
        """
        axes = tuple(range(1, len(sides) + 1))
        last_first = (0, axes[-1], *axes[:-1]) if axes else (0,)
        fits = [
            order
            for order, own in (
                ((0, *axes), sides),
                (last_first, (*sides[-1:], *sides[:-1])),
            )
            if self._fits(own)
        ]
        if fits:
            return fits[-1 if self.layout == "channels_last" else 0]
        return (0, -1, *axes) if self._fits((1, *sides)) else None

    def _fits(self, sample: Shape) -> bool:
        is_signal = self.fill is not None and len(sample) == SIGNAL_DIMENSIONS
        return sample == self.shape or (is_signal and sample[0] == self.shape[0])

    def _converted(self, taken: Array, array: StoredArray) -> Tensor:
        """A batch of samples as they are in the file, in the form of this dataset."""
        axes = self.axes(taken.shape[1:])
        assert axes is not None  # as `rows` has checked
        taken = taken[:, None] if -1 in axes else taken.transpose(axes)
        numbers = self._numbers(taken, array)
        if self.fill is not None:
            numbers = of_length(numbers, self.shape[1], fill=self.fill)
        return torch.from_numpy(np.ascontiguousarray(numbers))

    def _numbers(self, taken: Array, array: StoredArray) -> NDArray[Any]:
        is_image, white = len(self.shape) == IMAGE_DIMENSIONS, self.white
        is_scaled = is_image and white is not None and taken.dtype.kind != "b"
        if is_scaled and taken.dtype == np.uint8:
            return taken
        if is_scaled and taken.dtype.kind in "iu" and white in BYTE_WHITES:
            return _bytes(taken, array)
        with np.errstate(over="ignore"):  # infinities are found when all is checked
            numbers = taken.astype(np.float32)
        if not is_scaled or white is None or white == 1:
            return numbers
        _check_white(numbers, white, array)
        return numbers / np.float32(white)


def _check_numbers(array: StoredArray) -> None:
    check_dtype(array)
    if array.dtype.kind in "US":
        raise array.fault("holds texts, not numbers", hint="give an array of numbers")


def _bytes(taken: Array, array: StoredArray) -> NDArray[np.uint8]:
    if taken.size and (taken.min() < 0 or taken.max() > WHITE):
        message = f"has pixels of {taken.dtype} from {taken.min()} to {taken.max()}"
        raise array.fault(f"{message}, not from 0 to 255", hint="use the numbers of training")
    return taken.astype(np.uint8)


def _check_white(taken: Array, white: float, array: StoredArray) -> None:
    """Raise a FaultError for images from 0 to 1 where white is another number."""
    highest = float(taken.max(initial=0))
    if array.dtype.kind == "f" and 0 < highest < 1:
        message = f"has pixels from 0 to {highest:g}, but white is {white:g}"
        raise array.fault(message, hint=f"multiply them by {white:g}")


def of_length(signals: Array, length: int, *, fill: Sequence[float]) -> Array:
    """Signals (N, C, L) of this length: cut, or padded at the end with a number per channel."""
    missing = length - signals.shape[2]
    if missing <= 0:
        return signals[:, :, :length]
    end = np.broadcast_to(np.array(fill, np.float32)[:, None], (*signals.shape[:2], missing))
    return np.concatenate([signals, end], axis=2)


def white_of(array: StoredArray, rows: Callable[[], Rows]) -> float | None:
    """The number for white in images, from the dtype, or else from the numbers in some rows.

    255 for bytes, 65535 for uint16, 1 for truth values; 1 or 255 for numbers from 0 to there; None
    for all others.
    """
    known = {"uint8": 255.0, "uint16": 65535.0, "bool": 1.0}
    if array.dtype.name in known:
        return known[array.dtype.name]
    low, high = _range(rows())
    if low < 0 or high > WHITE:
        return None
    return 1.0 if high <= 1 and array.dtype.kind == "f" else float(WHITE)


def _range(rows: Rows) -> tuple[float, float]:
    bounds = [torch.aminmax(chunk) for chunk in rows.chunks()]
    return (
        min(float(low) for low, _ in bounds),
        max(float(high) for _, high in bounds),
    )
