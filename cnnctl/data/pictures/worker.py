"""Decodes pictures into rows of a file: in this process, or in one of its own (see `orders`)."""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.pictures.decoding import MAX_BYTES, BrokenPictureError, Mode, Resize, decode
from cnnctl.data.pictures.orders import Answer, Order, serve
from cnnctl.errors import FaultError


@dataclass(frozen=True, slots=True)
class PictureForm:
    """The form of decoded pictures."""

    mode: Mode
    size: tuple[int, int]
    """Height and width."""
    resize: Resize

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a picture, (C, H, W)."""
        return (1 if self.mode == "L" else 3, *self.size)

    @property
    def row_bytes(self) -> int:
        """Bytes of a decoded picture."""
        channels, height, width = self.shape
        return channels * height * width

    @property
    def text(self) -> str:
        """The form as an argument of a process; see `from_text`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> PictureForm:
        """The form that a process is given."""
        options = json.loads(text)
        return cls(options["mode"], tuple(options["size"]), options["resize"])


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of a picture file."""

    row: int
    digest: str
    """SHA-256 of the file, as a hexadecimal number."""
    check: int
    """CRC-32 of its pixels."""
    broken: str = ""
    """Why it could not be decoded; empty if it could."""


Put = Callable[[int, bytes], object]
"""Takes the number of a row, and its pixels."""


def decode_into(put: Put, tree: FileTree, order: Order, form: PictureForm) -> list[Decoded]:
    """Decode these files, each to its row.

    Raises:
        OSError: the rows cannot be written.
    """
    return [_decode_one(put, tree, row, entry, form) for row, entry in order]


def into(file: int, form: PictureForm) -> Put:
    """Put rows into an open file."""
    return lambda row, pixels: os.pwrite(file, pixels, row * form.row_bytes)


def _decode_one(put: Put, tree: FileTree, row: int, entry: Entry, form: PictureForm) -> Decoded:
    digest = ""
    try:
        content = tree.read(entry, limit=MAX_BYTES)
        digest = sha256(content).hexdigest()
        pixels = decode(content, mode=form.mode, size=form.size, resize=form.resize).tobytes()
    except FaultError as error:
        return Decoded(row, digest, 0, error.faults[0].message)
    except BrokenPictureError as error:
        return Decoded(row, digest, 0, str(error))
    put(row, pixels)
    return Decoded(row, digest, zlib.crc32(pixels))


def main(root: str, target: str, form: str) -> None:
    """Carry out orders to decode files into the rows of `target`."""
    shaped = PictureForm.from_text(form)
    with Path(target).open("r+b") as file:
        put = into(file.fileno(), shaped)

        def carry_out(tree: FileTree, order: Order) -> list[Answer]:
            done = decode_into(put, tree, order, shaped)
            return [(each.row, each.digest, each.check, each.broken) for each in done]

        serve(root, carry_out)


if __name__ == "__main__":
    main(*sys.argv[1:])
