"""The pictures of a split, wherever their pixels are kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cnnctl.data.file_tree import FileTree
from cnnctl.data.pictures.cache import decoded_pictures
from cnnctl.data.pictures.processes import FEW, cores
from cnnctl.data.pictures.rows import PictureRows
from cnnctl.data.pictures.streamed import StreamedRows
from cnnctl.data.pictures.worker import PictureForm
from cnnctl.data.records import Record, sizes_digests
from cnnctl.data.residence import PictureResidence
from cnnctl.data.rows import Rows, TensorRows
from cnnctl.errors import config_fault

LOCAL_RANKS = "LOCAL_WORLD_SIZE"
"""The variable in which torchrun tells how many ranks this machine has; all of them stream."""
Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class KeptPictures:
    """The pictures of records."""

    broken: Mapping[int, str]
    """Why a picture could not be decoded, by its position, as far as that is known."""
    digests: NDArray[np.uint8]
    """(N, 32) SHA-256 of each file; of its size where files are not read beforehand."""
    rows: Callable[[Positions], Rows]
    """The rows of the pictures at these positions, none of them broken."""


def kept_pictures(
    tree: FileTree,
    records: Sequence[Record],
    form: PictureForm,
    residence: PictureResidence,
    *,
    workers: int | None,
    skipped: Collection[str] | None,
) -> KeptPictures:
    """The pictures of records, which are decoded now unless they are streamed.

    workers: the number of processes; None for one for each core, shared by the ranks that stream.
    skipped: the names of streamed pictures that are broken; None if all are to be decoded once to
        find them.

    Raises:
        FaultError: a decoder ended; nothing has room for the pixels; or pictures that are streamed
            are in an archive that is read from front to back.
    """
    if residence == "stream":
        return _streamed(tree, records, form, workers, skipped)
    entries, count = [record.entry for record in records], workers or cores()
    verify = residence == "memory"
    decoded = decoded_pictures(tree, entries, form, processes=count, verify=verify)

    def rows(kept: Positions) -> Rows:
        if residence == "mapped":
            return PictureRows(decoded, kept)
        return TensorRows(torch.from_numpy(decoded.pixels.take(kept, axis=0)))

    return KeptPictures(decoded.broken, decoded.digests, rows)


def _streamed(
    tree: FileTree,
    records: Sequence[Record],
    form: PictureForm,
    workers: int | None,
    skipped: Collection[str] | None,
) -> KeptPictures:
    if tree.is_sequential:
        message = "pictures cannot be streamed from an archive that is read from front to back"
        hint = "unpack it, use a .zip, or store the pictures in uncompressed shards"
        raise config_fault(message, hint=hint, path=("rows",))
    own = max(1, cores() // int(os.environ.get(LOCAL_RANKS, "1")))
    count = workers or (own if len(records) > FEW else 0)  # few are quicker in this process
    entries = [record.entry for record in records]

    def rows(kept: Positions) -> StreamedRows:
        return StreamedRows(tree, [entries[at] for at in kept], form, processes=count)

    if skipped is None:
        broken = rows(np.arange(len(records))).broken()
    else:
        names = (entry.name for entry in entries)
        broken = {at: "was skipped" for at, name in enumerate(names) if name in skipped}
    return KeptPictures(broken, sizes_digests(records), rows)
