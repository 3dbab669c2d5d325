"""Decoded pictures in a file that is memory-mapped, made once for each content and form.

`$CNNCTL_CACHE`, or `cnnctl` in the user's cache folder, holds two files for each: the pixels, one
picture after the other, and a sealed index with the checksum of every picture and of every file.
Their name is a hash of the form and of every file's name, size and version, so that a source that
changes is decoded anew. What has not been used for a month is deleted when room is needed.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from math import prod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from cnnctl.config.wording import times
from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.pictures.decoder import decode_here, decode_to_file
from cnnctl.data.pictures.progress import followed
from cnnctl.data.pictures.worker import Decoded, PictureForm
from cnnctl.data.residence import machine_memory
from cnnctl.errors import FaultError, storage_fault
from cnnctl.interruption import forget, undo_at_signal
from cnnctl.paths import from_anywhere
from cnnctl.sealing import MAX_BYTES, is_whole, metadata_of, seal
from cnnctl.storage import read_regular, write_atomically

FORMAT = 1
PIXELS, INDEX = ".pixels", ".index"
SHARD = ".shard"
"""Of the list of what is in a shard."""
COPIES = "shards-"
"""How the folders of shards from elsewhere begin, after a dot if they are not for other runs."""
UNUSED = 30 * 24 * 3600
"""Seconds after which a file that was not used makes room for others."""


@dataclass(frozen=True, slots=True)
class DecodedPictures:
    """Decoded pictures: their pixels, what is known of each file, and which are broken."""

    pixels: NDArray[np.uint8]
    """(N, C, H, W), in memory or mapped; rows of broken files hold zeros."""
    checks: NDArray[np.uint32]
    """(N,) CRC-32 of each row."""
    digests: NDArray[np.uint8]
    """(N, 32) SHA-256 of each file."""
    broken: dict[int, str]
    """Why a file could not be decoded, by its row."""

    @property
    def is_intact(self) -> bool:
        """Whether every row matches its checksum; reads all of them."""
        pixels, checks = np.asarray(self.pixels), self.checks.tolist()  # both quick to index
        whole = (row for row in range(len(checks)) if row not in self.broken)
        return all(zlib.crc32(pixels[row]) == checks[row] for row in whole)


def decoded_pictures(
    tree: FileTree,
    entries: Sequence[Entry],
    form: PictureForm,
    *,
    processes: int,
    verify: bool = False,
) -> DecodedPictures:
    """The pictures in these files, decoded now or by an earlier run.

    With `verify`, what an earlier run has decoded is compared with its checksums. Where nothing can
    be stored, they are decoded to memory, and a line on stderr says so.

    Raises:
        FaultError: a decoder ended; or there is room for the pixels neither on disk nor in memory.
    """
    try:
        folder = cache_folder()
        file = folder / _key(entries, form)
        found = _opened(file, len(entries), form)
        if found and (not verify or found.is_intact):
            return found
        return _built(file, tree, entries, form, processes)
    except OSError as error:
        reason = error.strerror or str(error)
        print(f"note: decoding to memory: the cache cannot be used: {reason}", file=sys.stderr)
        return _in_memory(tree, entries, form)


def cache_folder() -> Path:
    """The folder of decoded pictures, which is made if need be.

    Raises:
        OSError: it cannot be made.
    """
    folder = _named_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cache_disk() -> int:
    """The size in bytes of the disk that decoded pictures are written to; 0 if there is none."""
    try:
        folder = _named_folder()
        there = next(each for each in (folder, *folder.parents) if each.exists())
        return shutil.disk_usage(there).total
    except OSError:
        return 0


def _named_folder() -> Path:
    named = os.environ.get("CNNCTL_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return from_anywhere(Path(named) if named else Path(home) / "cnnctl")


def _key(entries: Sequence[Entry], form: PictureForm) -> str:
    """A name for these files, decoded to this form."""
    content = [FORMAT, asdict(form), [(each.name, each.size, each.stamp) for each in entries]]
    return sha256(json.dumps(content).encode()).hexdigest()[:32]


def _opened(file: Path, count: int, form: PictureForm) -> DecodedPictures | None:
    """What an earlier run has decoded; None where there is nothing, or it is damaged."""
    index, shape = file.with_suffix(INDEX), (count, *form.shape)
    try:
        content = read_regular(index, limit=MAX_BYTES)
        if not is_whole(content):
            return None
        tensors, broken = load_tensors(content), json.loads(metadata_of(content)["broken"])
        pixels = np.memmap(file.with_suffix(PIXELS), np.uint8, "r")
        found = DecodedPictures(
            pixels.reshape(shape),
            tensors["checks"].numpy().astype(np.uint32),
            tensors["digests"].numpy(),
            {int(row): str(reason) for row, reason in broken.items()},
        )
        os.utime(index)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, RecursionError):
        return None
    is_fit = len(found.checks) == len(found.digests) == count
    return found if is_fit else None


def _built(
    file: Path, tree: FileTree, entries: Sequence[Entry], form: PictureForm, processes: int
) -> DecodedPictures:
    """Decode to a new file, which gets its name once it is whole.

    Raises:
        OSError: it cannot be written.
        FaultError: a decoder ended.
    """
    _make_room(file.parent)
    temporary = file.with_name(f".{secrets.token_hex(8)}.writing")
    undo = partial(temporary.unlink, missing_ok=True)
    undo_at_signal(undo)
    try:
        with temporary.open("xb") as target:
            _reserve(target.fileno(), len(entries) * form.row_bytes)
        with followed("decoding", len(entries)) as advance:
            decoded = decode_to_file(
                tree, entries, form, temporary, processes=processes, advance=advance
            )
        temporary.replace(file.with_suffix(PIXELS))
    finally:
        undo()
        forget(undo)
    pixels = np.memmap(file.with_suffix(PIXELS), np.uint8, "r", shape=(len(entries), *form.shape))
    found = _gathered(pixels, decoded)
    tensors = {
        "checks": torch.from_numpy(found.checks.astype(np.int64)),
        "digests": torch.from_numpy(found.digests),
    }
    metadata = {"broken": json.dumps(found.broken)}
    with suppress(FaultError):  # the next run decodes again
        write_atomically(file.with_suffix(INDEX), *seal(tensors, metadata))
    return found


def _reserve(file: int, size: int) -> None:
    """Make a file this long, and a full disk known before the work is done."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.truncate(file, size)


def _in_memory(tree: FileTree, entries: Sequence[Entry], form: PictureForm) -> DecodedPictures:
    shape = (len(entries), *form.shape)
    if prod(shape) > machine_memory() // 2:
        message = f"{len(entries):,} pictures of {times(form.shape)} do not fit in memory either"
        hint = "free some space, set CNNCTL_CACHE to another disk, or set data.rows=stream"
        raise storage_fault(message, hint=hint)
    pixels = np.zeros(shape, dtype=np.uint8)
    flat = pixels.reshape(len(entries), -1)

    def put(row: int, content: bytes) -> None:
        flat[row] = np.frombuffer(content, dtype=np.uint8)

    with followed("decoding", len(entries)) as advance:
        return _gathered(pixels, decode_here(tree, entries, form, put, advance=advance))


def _gathered(pixels: NDArray[np.uint8], decoded: Sequence[Decoded]) -> DecodedPictures:
    digests = b"".join(bytes.fromhex(each.digest or "0" * 64) for each in decoded)
    return DecodedPictures(
        pixels,
        np.array([each.check for each in decoded], dtype=np.uint32),
        np.frombuffer(bytearray(digests), dtype=np.uint8).reshape(len(decoded), 32),
        {each.row: each.broken for each in decoded if each.broken},
    )


def _make_room(folder: Path) -> None:
    """Delete what has not been used for a month, and what killed writers left."""
    oldest = time.time() - UNUSED
    for path in folder.iterdir():
        if path.name.removeprefix(".").startswith(COPIES) and path.stat().st_mtime < oldest:
            shutil.rmtree(path, ignore_errors=True)
        if path.suffix not in (PIXELS, INDEX, SHARD, ".writing"):
            continue
        used = path.with_suffix(INDEX) if path.suffix == PIXELS else path
        with suppress(OSError):  # another process was faster
            if (used if used.exists() else path).stat().st_mtime < oldest:
                path.unlink()
