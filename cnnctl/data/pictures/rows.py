"""Decoded pictures as rows that are checked when they are taken."""

from __future__ import annotations

import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnctl.data.cache_folder import cache_folder
from cnnctl.data.pictures.cache import DecodedPictures
from cnnctl.data.rows import MappedRows
from cnnctl.errors import data_fault


class PictureRows(MappedRows):
    """Decoded pictures in the cache; each is compared with its checksum when it is taken."""

    def __init__(self, decoded: DecodedPictures, kept: NDArray[np.int64]) -> None:
        super().__init__(decoded.pixels)
        self.shape = (len(kept), *decoded.pixels.shape[1:])
        self._kept, self._checks = kept, decoded.checks

    def take(self, positions: Tensor) -> Tensor:
        own = torch.from_numpy(self._kept[positions.cpu().numpy()])
        taken = super().take(own)
        for row, pixels in zip(own.tolist(), taken.numpy(), strict=True):
            if zlib.crc32(pixels) != self._checks[row]:
                message = "the cache of decoded pictures is damaged"
                place = str(cache_folder())
                raise data_fault(message, hint="delete it; it will be created again", place=place)
        return taken
