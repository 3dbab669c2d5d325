"""Decodes pictures into rows of a file: in this process, or in one of its own.

A process of its own (`python -m cnnctl.data.pictures.worker`) reads orders from its standard input
and answers on its standard output, a line of JSON each, until its input ends. It imports neither
torch nor pydantic, so it starts in a fifth of a second. A decoder that crashes takes down only it.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cnnctl.data.files import Entry, FileTree, open_tree
from cnnctl.data.pictures.decoding import MAX_BYTES, BrokenPictureError, Mode, Resize, decode
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


def decode_into(
    put: Put, tree: FileTree, entries: Iterable[tuple[int, Entry]], form: PictureForm
) -> list[Decoded]:
    """Decode these files, each to its row.

    Raises:
        OSError: the rows cannot be written.
    """
    return [_decode_one(put, tree, row, entry, form) for row, entry in entries]


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


def to_order(entries: Sequence[tuple[int, Entry]]) -> str:
    """Rows and files as a line for a worker."""
    return json.dumps([[row, each.name, each.size, each.stamp] for row, each in entries])


def from_answer(line: str) -> list[Decoded]:
    """The answer of a worker.

    Raises:
        OSError: it could not write.
    """
    answer: Any = json.loads(line)
    if isinstance(answer, dict):
        raise OSError(answer["errno"], answer["strerror"])
    return [Decoded(*each) for each in answer]


def main(root: str, target: str, form: str) -> None:
    """Carry out orders until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who gives orders ends this process
    gc.freeze()  # what has been imported stays, and need not be searched again
    tree, options = open_tree(Path(root)), json.loads(form)
    shaped = PictureForm(options["mode"], tuple(options["size"]), options["resize"])
    with Path(target).open("r+b") as file:
        put = into(file.fileno(), shaped)
        for line in sys.stdin:
            entries = [(row, Entry(*entry)) for row, *entry in json.loads(line)]
            try:
                done = decode_into(put, tree, entries, shaped)
                answer: Any = [(each.row, each.digest, each.check, each.broken) for each in done]
            except OSError as error:
                answer = {"errno": error.errno, "strerror": error.strerror}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
