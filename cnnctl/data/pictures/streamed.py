"""Pictures as rows that are decoded whenever they are taken, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.pictures.decoders import shared_decoders
from cnnctl.data.pictures.progress import followed
from cnnctl.data.pictures.worker import PictureForm
from cnnctl.data.rows import Rows
from cnnctl.errors import data_fault

AT_ONCE = 3
"""Batches that are decoded at the same time, so that no process waits for the last of a batch."""
CHECKED = 512
"""Pictures that are checked at a time."""


class StreamedRows(Rows):
    """The pictures in files, (N, C, H, W) uint8, decoded whenever they are taken."""

    dtype = torch.uint8
    readers = AT_ONCE

    def __init__(
        self, tree: FileTree, entries: Sequence[Entry], form: PictureForm, *, processes: int
    ) -> None:
        self.shape = (len(entries), *form.shape)
        self._tree, self._entries = tree, entries
        self._decoders = shared_decoders(tree, form, processes=processes)

    def take(self, positions: Tensor) -> Tensor:
        """A copy of the rows at these positions (B,), in this order.

        Raises:
            FaultError: a picture is broken, or the process that decoded it has ended.
        """
        entries = [self._entries[at] for at in positions.tolist()]
        pixels = np.empty((len(entries), *self.shape[1:]), dtype=np.uint8)
        for entry, row, answer in zip(
            entries, pixels, self._decoders.decoded(entries), strict=True
        ):
            if answer.broken:
                hint = "repair or delete it, or start a new run with data.on_error=skip"
                raise data_fault(answer.broken, hint=hint, place=self._tree.place(entry.name))
            row.reshape(-1)[:] = np.frombuffer(answer.pixels, dtype=np.uint8)
        return torch.from_numpy(pixels)

    def broken(self) -> dict[int, str]:
        """Why pictures cannot be decoded, by their rows; decodes all of them.

        Raises:
            FaultError: a process ended while it decoded one.
        """
        found: dict[int, str] = {}
        with followed("checking", len(self)) as advance:
            for start in range(0, len(self), CHECKED):
                some = self._entries[start : start + CHECKED]
                answers = enumerate(self._decoders.decoded(some), start)
                found |= {row: answer.broken for row, answer in answers if answer.broken}
                advance(len(some))
        return found
