"""Where the samples of a dataset are kept: in memory, in a mapped file or nowhere: a rule.

It is a function of their size and of the machine, never of how busy it is, so that the same file
gives the same choice.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import torch

Residence = Literal["memory", "mapped"]
PictureResidence = Residence | Literal["stream"]
"""A stream is decoded anew in every epoch."""
SHARE = 4
"""Samples are kept in memory up to this part of it: a fourth."""
DISK_SHARE = 2
"""Decoded pictures are stored up to this part of the disk: a half."""
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says what a container may use (cgroup 2, cgroup 1)."""
UNKNOWN = 4 * 2**30


def residence_of(size: int) -> Residence:
    """Where samples of this many bytes are kept."""
    memory = machine_memory()
    if torch.cuda.is_available():  # which they are moved to
        memory = min(memory, torch.cuda.get_device_properties(0).total_memory)
    return "memory" if size <= memory // SHARE else "mapped"


def picture_residence(size: int, *, disk: int) -> PictureResidence:
    """Where decoded pictures of this many bytes are kept, given the size of the disk for them."""
    kept = residence_of(size)
    return "stream" if kept == "mapped" and size > disk // DISK_SHARE else kept


def machine_memory() -> int:
    """Bytes of memory that this process may use, in use or not; 4 GiB where nothing says so."""
    found = [limit for limit in (*map(_limit, LIMITS), _physical()) if limit]
    return min(found, default=UNKNOWN)


def _physical() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # as on Windows
        return 0


def _limit(file: str) -> int:
    try:
        text = Path(file).read_text(encoding="ascii").strip()
    except OSError:
        return 0
    return int(text) if text.isdecimal() else 0
