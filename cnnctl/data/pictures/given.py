"""Pictures in memory that are not of the size or mode of a network, brought to its form."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cnnctl.data.arrays.stored import Array
from cnnctl.data.pictures.reading import image_pixels
from cnnctl.data.pictures.worker import PictureForm
from cnnctl.errors import data_fault

WHITE = 255
CHANNELS_FIRST, CHANNELS_LAST = (1, 3, 4), (1, 2, 3, 4)
"""Numbers of channels; (2, H, W) are two grey pictures."""
SHAPES = "give (H, W), (H, W, C) or (C, H, W) with at most 4 channels, or a batch of them"


def pictures_in(array: Array, *, place: str) -> Iterator[tuple[str, Array]]:
    """The pictures in an array, each with its name: one, or a batch (N, …).

    (H, W) is grey; of (H, W, C) and (C, H, W), the side up to 4 is that of channels, the last one
    if both may be.
    """
    if _is_single(array):
        yield place, array
        return
    if array.ndim not in (3, 4):
        raise data_fault(f"an array of the shape {array.shape}", hint=SHAPES, place=place)
    for at, picture in enumerate(array):
        yield f"{place}[{at}]", picture


def _is_single(array: Array) -> bool:
    if array.ndim != 3:
        return array.ndim == 2
    return array.shape[0] in CHANNELS_FIRST or array.shape[-1] in CHANNELS_LAST


def fitted_pixels(array: Array, form: PictureForm, *, place: str) -> Tensor:
    """A picture of any size and mode, (C, H, W) uint8, as if it were read from a file.

    array: (H, W), (H, W, C) or (C, H, W): grey, grey and alpha, RGB or RGBA. Floating-point
        pixels are from 0 to 1 and rounded to bytes; grey ones may be uint16.

    Raises:
        FaultError: it has another shape or dtype, or pixels outside that range.
    """
    pixels = _channels_last(array, place)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype != np.uint16 or pixels.ndim > 2:
        pixels = _as_bytes(pixels, place)
    return image_pixels(Image.fromarray(np.ascontiguousarray(pixels)), form, place=place)


def _channels_last(array: Array, place: str) -> Array:
    if not _is_single(array) or not array.size:
        raise data_fault(f"an array of the shape {array.shape}", hint=SHAPES, place=place)
    if array.ndim == 2 or array.shape[-1] in CHANNELS_LAST:
        return array
    return array.transpose(1, 2, 0)


def _as_bytes(pixels: Array, place: str) -> NDArray[np.uint8]:
    """Pixels as bytes, whatever numbers they are.

    Raises:
        FaultError: some are below black or above white.
    """
    if pixels.dtype.kind not in "biuf":
        message = f"an array of {pixels.dtype}, which are no pixels"
        raise data_fault(message, hint="give uint8, or float32 from 0 to 1", place=place)
    white = 1 if pixels.dtype.kind in "bf" else WHITE
    low, high = pixels.min(), pixels.max()
    if not (low >= 0 and high <= white):  # also not numbers
        message = f"pixels of {pixels.dtype} from {low:g} to {high:g}, not from 0 to {white}"
        raise data_fault(message, hint=scaling_hint(float(high), white), place=place)
    if white == WHITE:
        return pixels.astype(np.uint8)
    return np.rint(pixels.astype(np.float64) * WHITE).astype(np.uint8)


def scaling_hint(high: float, white: int) -> str:
    """How to bring pixels up to `high` into the range from 0 to `white`."""
    if white == 1 and 1 < high <= WHITE:
        return "divide them by 255, or convert them to uint8"
    return "give pixels before normalisation: uint8, or float32 from 0 to 1"
