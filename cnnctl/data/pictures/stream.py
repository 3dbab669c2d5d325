"""Decodes pictures to standard output, one after another; see `decoders`.

A module that is run in a process of its own, as those of `orders` are. Each picture of an order is
answered by a byte that says whether it could be decoded, four bytes with a length, and so many
bytes: its pixels, or why it could not be decoded.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.files import open_tree
from cnnctl.data.pictures.decoding import MAX_BYTES, BrokenPictureError, decode
from cnnctl.data.pictures.orders import received
from cnnctl.data.pictures.worker import PictureForm
from cnnctl.errors import FaultError

HEAD = Struct("<?I")
"""Whether a picture was decoded, and the number of bytes that follow."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a picture."""

    pixels: bytes = b""
    """(C, H, W) uint8; empty if it is broken."""
    broken: str = ""
    """Why it could not be decoded; empty if it could."""


def answer_to(tree: FileTree, entry: Entry, form: PictureForm) -> Answer:
    """Decode a picture."""
    try:
        content = tree.read(entry, limit=MAX_BYTES)
        pixels = decode(content, mode=form.mode, size=form.size, resize=form.resize)
    except FaultError as error:
        return Answer(broken=error.faults[0].message)
    except BrokenPictureError as error:
        return Answer(broken=str(error))
    return Answer(pixels.tobytes())


def main(root: str, form: str) -> None:
    """Answer orders to decode files."""
    tree, shaped, output = open_tree(Path(root)), PictureForm.from_text(form), sys.stdout.buffer
    for order in received():
        for _, entry in order:
            answer = answer_to(tree, entry, shaped)
            content = answer.broken.encode(errors="replace") or answer.pixels
            output.write(HEAD.pack(not answer.broken, len(content)) + content)
            output.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
