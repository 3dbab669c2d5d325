"""A single picture -> a tensor, in the form that a network takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.pictures.decoding import (
    MAX_BYTES,
    MAX_PIXELS,
    BrokenPictureError,
    Pixels,
    decode,
    decode_image,
)
from cnnctl.data.pictures.worker import PictureForm
from cnnctl.errors import data_fault


def read_picture(tree: FileTree, entry: Entry, form: PictureForm) -> Tensor:
    """A picture of a tree, (C, H, W) uint8.

    Raises:
        FaultError: it cannot be read, or is broken.
    """
    content = tree.read(entry, limit=MAX_BYTES)
    return decoded_picture(content, form, place=tree.place(entry.name))


def decoded_picture(
    content: bytes, form: PictureForm, *, place: str, most_pixels: int = MAX_PIXELS
) -> Tensor:
    """The picture in a file of this content, (C, H, W) uint8.

    most_pixels: of the picture as it is in the file.

    Raises:
        FaultError: it is broken.
    """
    with _naming(place):
        if len(content) > MAX_BYTES:
            raise BrokenPictureError(f"has {len(content):,} bytes, more than {MAX_BYTES:,}")
        return _tensor(
            decode(
                content,
                mode=form.mode,
                size=form.size,
                resize=form.resize,
                most_pixels=most_pixels,
            )
        )


def image_pixels(image: Image.Image, form: PictureForm, *, place: str) -> Tensor:
    """A picture of Pillow, (C, H, W) uint8: the same as those of its file.

    Raises:
        FaultError: it is too large, or its file is broken.
    """
    with _naming(place):
        return _tensor(decode_image(image, mode=form.mode, size=form.size, resize=form.resize))


@contextmanager
def _naming(place: str) -> Iterator[None]:
    """Turn the error of a broken picture into a fault at this place."""
    try:
        yield
    except BrokenPictureError as error:
        raise data_fault(str(error), hint="repair or replace it", place=place) from None


def _tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.require(pixels, requirements=("C", "W")))
