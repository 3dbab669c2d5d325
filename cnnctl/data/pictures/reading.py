"""A single picture -> a tensor, in the form that a network takes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.pictures.decoding import MAX_BYTES, BrokenPictureError, decode
from cnnctl.data.pictures.worker import PictureForm
from cnnctl.errors import data_fault


def read_picture(tree: FileTree, entry: Entry, form: PictureForm) -> Tensor:
    """A picture of a tree, (C, H, W) uint8.

    Raises:
        FaultError: it cannot be read, or is broken.
    """
    content = tree.read(entry, limit=MAX_BYTES)
    return decoded_picture(content, form, place=tree.place(entry.name))


def decoded_picture(content: bytes, form: PictureForm, *, place: str) -> Tensor:
    """The picture in a file of this content, (C, H, W) uint8.

    Raises:
        FaultError: it is broken.
    """
    try:
        pixels = decode(content, mode=form.mode, size=form.size, resize=form.resize)
    except BrokenPictureError as error:
        raise data_fault(str(error), hint="repair or replace it", place=place) from None
    return torch.from_numpy(np.require(pixels, requirements=("C", "W")))
