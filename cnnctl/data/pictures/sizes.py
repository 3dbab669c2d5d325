"""The size and the mode that pictures of several are brought to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from statistics import median

from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.pictures.decoding import MAX_BYTES, BrokenPictureError, Mode, size_and_mode
from cnnctl.data.records import Record
from cnnctl.errors import FaultError, data_fault

SAMPLED = 1000
"""Pictures whose headers decide the size and the mode, evenly spread."""
SIDES = (32, 48, 64, 96, 128, 160, 192, 224)
"""Sides that pictures of different sizes are brought to."""
EXACT_SIDE = 256
"""Up to which pictures of one size keep it."""


def common_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The height and width for pictures of these: their own, or a square of a usual side.

    The side is the largest of 32, 48, …, 224 that the longer side of half of them has.
    """
    if len(set(sizes)) == 1 and max(sizes[0]) <= EXACT_SIDE:
        return sizes[0]
    longer = median(max(size) for size in sizes)
    side = max((side for side in SIDES if side <= longer), default=SIDES[0])
    return side, side


def found_form(
    tree: FileTree, records: Sequence[Record], missing: Sequence[str]
) -> dict[str, object]:
    """Those of the options `mode` and `size` that are missing, for these pictures.

    Raises:
        FaultError: all of them are broken.
    """
    if not missing:
        return {}
    found = form_among(tree, [record.entry for record in records])
    if found is None:
        message, hint = "none of the pictures can be decoded", "check what these files are"
        raise data_fault(message, hint=hint, place=str(tree.root))
    options = dict(zip(("mode", "size"), found, strict=True))
    return {name: options[name] for name in missing}


def form_among(tree: FileTree, entries: Sequence[Entry]) -> tuple[Mode, tuple[int, int]] | None:
    """The mode and the size for these pictures by the headers of some; None if all are broken."""
    sizes, modes = [], set[Mode]()
    for entry in entries[:: max(1, len(entries) // SAMPLED)]:
        with suppress(BrokenPictureError, FaultError):  # reported by decoding
            height, width, mode = size_and_mode(tree.read(entry, limit=MAX_BYTES))
            sizes.append((height, width))
            modes.add(mode)
    if not sizes:
        return None
    return "L" if modes == {"L"} else "RGB", common_size(sizes)
