"""Listings of large folders, kept from one run to the next.

Asking the system for the size and time of every file takes a minute for ten million files on a
disk, and much longer over a network. A listing is used again if no folder below the root has
changed, which adding, removing, renaming and replacing a file does, and if a sample of the files
has not either. A file that is rewritten in place does not change its folder: `touch` that, or write
to a new name as copying tools do. A file that has another size is noticed when it is read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor

from cnnctl.data.cache_folder import LISTING, cache_folder, make_room, named_folder
from cnnctl.data.file_tree import Entry
from cnnctl.data.found_folders import FoundFolders, Stamp
from cnnctl.errors import FaultError
from cnnctl.sealing import MAX_BYTES, is_whole, seal
from cnnctl.storage import read_regular, write_atomically

FORMAT = 1
MANY = 50_000
"""Files from which on a listing is kept; fewer are listed in about a second."""
SAMPLED = 1000
"""Files that are asked for again, evenly spread."""


def kept_listing(root: Path) -> list[Entry] | None:
    """The files of a folder as listed before, sorted; None if they may have changed."""
    try:
        content = read_regular(_place(root), limit=MAX_BYTES)
        if not is_whole(content):
            return None
        tensors = load_tensors(content)
        if not _are_unchanged(root, tensors):
            return None
        columns = (tensors[name].tolist() for name in ("sizes", "stamps"))
        names = _names(tensors["names"])
        entries = [Entry(*each) for each in zip(names, *columns, strict=True)]
        _check_sample(root, entries)
        os.utime(_place(root))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, RecursionError):
        return None
    return entries


def keep_listing(root: Path, entries: Sequence[Entry], folders: FoundFolders) -> None:
    """Keep the sorted files of a folder, if they are many; where nothing can be stored, do not."""
    if len(entries) < MANY or not folders.are_settled:
        return
    stamps = folders.stamps.values()
    tensors = {
        "names": _packed(entry.name for entry in entries),
        "sizes": torch.tensor([entry.size for entry in entries]),
        "stamps": torch.tensor([entry.stamp for entry in entries]),
        "folders": _packed(folders.stamps),
        "inodes": torch.tensor([each.inode for each in stamps]),
        "changed": torch.tensor([each.changed for each in stamps]),
    }
    with suppress(FaultError, OSError, OverflowError, RuntimeError):  # the next run lists again
        make_room(cache_folder())
        write_atomically(_place(root), *seal(tensors, {}))


def _place(root: Path) -> Path:
    key = sha256(f"{FORMAT}\0".encode() + os.fsencode(root.resolve())).hexdigest()[:32]
    return (named_folder() / key).with_suffix(LISTING)


def _are_unchanged(root: Path, tensors: dict[str, Tensor]) -> bool:
    columns = (tensors[name].tolist() for name in ("inodes", "changed"))
    folders = zip(_names(tensors["folders"]), *columns, strict=True)
    return all(Stamp.of(root / name) == Stamp(inode, changed) for name, inode, changed in folders)


def _check_sample(root: Path, entries: Sequence[Entry]) -> None:
    """Raise a ValueError if one of some files is not as it was listed."""
    offset = time.time_ns() % max(1, len(entries) // SAMPLED)  # others each time
    for entry in entries[offset :: max(1, len(entries) // SAMPLED)]:
        status = (root / entry.name).stat()
        if (status.st_size, status.st_mtime_ns) != (entry.size, entry.stamp):
            raise ValueError(entry.name)


def _packed(names: Iterable[str]) -> Tensor:
    """Names as the bytes of the system, each ended by a NUL, which no name contains."""
    packed = b"".join(os.fsencode(name) + b"\0" for name in names)
    return torch.from_numpy(np.frombuffer(bytearray(packed), dtype=np.uint8))


def _names(packed: Tensor) -> list[str]:
    return os.fsdecode(packed.numpy().tobytes()).split("\0")[:-1]
