"""The samples of shards, found once for each content, and kept in the cache of pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from cnnctl.data.cache_folder import SHARD, cache_folder
from cnnctl.data.shards.reading import ShardSample
from cnnctl.errors import FaultError
from cnnctl.sealing import is_whole, seal
from cnnctl.storage import read_regular, write_atomically

FORMAT = 1
MAX_INDEX = 2**31
"""Bytes of an index."""


def indexed(
    version: str, *, label: str, find: Callable[[], list[ShardSample]]
) -> list[ShardSample]:
    """The samples of this version of a shard, looked up, or found and noted for the next time."""
    key = sha256(json.dumps([FORMAT, version, label]).encode()).hexdigest()[:32]
    try:
        place = (cache_folder() / key).with_suffix(SHARD)
    except OSError:  # it is found again next time
        return find()
    known = _opened(place)
    if known is None:
        known = find()
        rows = [(each.name, each.offset, each.size, each.label) for each in known]
        content = json.dumps(rows).encode()
        index = torch.from_numpy(np.frombuffer(bytearray(content), dtype=np.uint8))
        with suppress(FaultError):
            write_atomically(place, *seal({"index": index}, {}))
    return known


def _opened(place: Path) -> list[ShardSample] | None:
    """What was noted; None where there is nothing, or it is damaged."""
    try:
        content = read_regular(place, limit=MAX_INDEX)
        if not is_whole(content):
            return None
        index = json.loads(load_tensors(content)["index"].numpy().tobytes())
        return [ShardSample(*each) for each in index]
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, RecursionError):
        return None
