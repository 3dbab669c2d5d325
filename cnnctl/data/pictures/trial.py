"""Finds what picture files are, and whether they can be decoded, in several processes."""

from __future__ import annotations

import sys
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.pictures.decoding import MAX_BYTES, BrokenPictureError, Mode, Pixels, tried
from cnnctl.data.pictures.orders import Answer, Order, orders_of, serve
from cnnctl.data.pictures.processes import FEW, Advance, carry_out, cores
from cnnctl.data.pictures.thumbnails import COLUMNS, ROWS, SIDE
from cnnctl.errors import FaultError

MODULE = "cnnctl.data.pictures.trial"
"""This one, which has another name where it is run."""
DECODED_PIXELS = 10**9
"""Pixels to decode, of all files together; each order has an equal share of them."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a picture file is."""

    number: int
    """Its position among the files that were asked for."""
    digest: str = ""
    """SHA-256, as a hexadecimal number."""
    height: int = 0
    width: int = 0
    mode: Mode = "RGB"
    is_decoded: bool = False
    """Whether it was decoded; of others only the header was read."""
    broken: str = ""
    """Why it cannot be decoded; empty if nothing was found."""
    grey: str = ""
    """A thumbnail to hash, in base64; empty if it is too small, or was not decoded."""
    colour: str = ""
    """A thumbnail to compare, in base64, as well."""

    @property
    def grey_pixels(self) -> NDArray[np.float32]:
        """The thumbnail to hash, (ROWS, COLUMNS)."""
        return np.frombuffer(b64decode(self.grey), np.float32).reshape(ROWS, COLUMNS)

    @property
    def colour_pixels(self) -> Pixels:
        """The thumbnail to compare, (3 * SIDE * SIDE,)."""
        return np.frombuffer(b64decode(self.colour), np.uint8)


def try_all(tree: FileTree, entries: Sequence[Entry], *, advance: Advance) -> list[Tried]:
    """What each file is; if they have too many pixels, some of every order are decoded.

    Raises:
        FaultError: a process ended at one of them.
    """
    orders = list(orders_of(tree, entries))
    pixels = DECODED_PIXELS // max(1, len(orders))
    if len(entries) > FEW and not tree.is_sequential:
        command = [MODULE, str(pixels)]
        answers = carry_out(tree, orders, command, processes=cores(), advance=advance)
        return sorted((Tried(*each) for each in answers), key=lambda each: each.number)
    found: list[Tried] = []
    for order in orders:
        found += _try_order(tree, order, pixels)
        advance(len(order))
    return sorted(found, key=lambda each: each.number)


def _try_order(tree: FileTree, order: Order, pixels: int) -> list[Tried]:
    """Decode the first file, and further ones while they have no more pixels together."""
    found: list[Tried] = []
    for number, entry in order:
        each = _try_one(tree, number, entry, most_pixels=pixels if found else sys.maxsize)
        found.append(each)
        pixels -= each.height * each.width * each.is_decoded
    return found


def _try_one(tree: FileTree, number: int, entry: Entry, *, most_pixels: int) -> Tried:
    digest = ""
    try:
        content = tree.read(entry, limit=MAX_BYTES)
        digest = sha256(content).hexdigest()
        height, width, mode, pixels = tried(content, most_pixels=most_pixels)
    except FaultError as error:
        return Tried(number, digest, broken=error.faults[0].message)
    except BrokenPictureError as error:
        return Tried(number, digest, broken=str(error))
    if pixels is None or min(height, width) < SIDE:
        return Tried(number, digest, height, width, mode, pixels is not None)
    return Tried(number, digest, height, width, mode, True, "", *_thumbnails(pixels))


def _thumbnails(pixels: Pixels) -> tuple[str, str]:
    """A grey and a coloured thumbnail of a picture, (C, H, W), in base64."""
    whole = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
    image = Image.fromarray(np.ascontiguousarray(whole)).convert("RGB")
    grey = np.asarray(image.convert("F").resize((COLUMNS, ROWS), Image.Resampling.BOX))
    colour = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX)).transpose(2, 0, 1)
    return b64encode(grey.tobytes()).decode(), b64encode(colour.tobytes()).decode()


def main(root: str, pixels: str) -> None:
    """Carry out orders to look at files."""

    def carry_out(tree: FileTree, order: Order) -> list[Answer]:
        return [astuple(each) for each in _try_order(tree, order, int(pixels))]

    serve(root, carry_out)


if __name__ == "__main__":
    main(*sys.argv[1:])
