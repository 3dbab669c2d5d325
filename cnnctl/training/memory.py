"""Memory that is free for a training, and the largest batch that fits in it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from cnnctl.data.residence import machine_memory
from cnnctl.experiment import Loaded
from cnnctl.inspection.report import report_on

OWN = Path("/proc/self")
MEMINFO, AVAILABLE = "/proc/meminfo", "MemAvailable:"
USED = ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes")
STATISTICS = ("/sys/fs/cgroup/memory.stat", "/sys/fs/cgroup/memory/memory.stat")
RECLAIMABLE = ("inactive_file", "total_inactive_file")
BUFFERS = 3
"""Memory of a batch for each byte of saved activations: gradients, temporary tensors, and what the
allocator keeps. Between batches of 128 and 1,024 on a CPU, LeNet took 3.0 bytes more, a ResNet 2.6
and the Keras CNN 1.5."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes in memory of a process."""

    now: int
    peak: int
    """The most at any time."""
    files: int
    """Pages of files, part of `now`: libraries and mapped data, which the system can drop."""


def process_usage(process: Path) -> Usage | None:
    """What a process of /proc has in memory; None if unknown."""
    found = _status(process)
    try:
        return Usage(*(found[name] for name in ("VmRSS", "VmHWM", "RssFile")))
    except KeyError:  # not Linux, or the process is over
        return None


def largest_batch(loaded: Loaded, *, room: int) -> int | None:
    """The largest batch size, a power of two, with which training fits in so many bytes.

    It is an estimate from the sizes of tensors; None if not even one sample fits.
    """
    report = report_on(loaded, batch_size=1)
    needed = report.memory
    assert needed is not None  # which a report of an experiment has
    once = needed.total - needed.activations
    peak = report.peak_memory or needed.total
    fitting = (room - once) // (BUFFERS * max(1, peak - once))
    return 1 << (fitting.bit_length() - 1) if fitting >= 1 else None


def free_memory(device: torch.device) -> int | None:
    """Bytes that this process can still take, on the device or on this machine; None if unknown."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free) + kept
    limit, used = machine_memory(), _first_number(USED)
    known = [_in_kilobytes(MEMINFO, AVAILABLE), _address_space()]
    if used is not None:
        known.append(limit - used + sum(_reclaimable(file) for file in STATISTICS))
    return min((each for each in known if each is not None and each > 0), default=None)


def _address_space() -> int | None:
    """Bytes of addresses that this process may still use, as `ulimit -v` limits them."""
    if sys.platform == "win32":
        return None
    import resource  # only Unix has it

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = _status(OWN).get("VmSize")
    return None if limit == resource.RLIM_INFINITY or used is None else limit - used


def _status(process: Path) -> dict[str, int]:
    """The sizes that /proc tells of a process, in bytes; empty if it tells nothing."""
    lines = (line.split() for line in _text(str(process / "status")).splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[2:] == ["kB"]}


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="ascii", errors="replace")
    except OSError:  # not Linux
        return ""


def _first_number(files: tuple[str, ...]) -> int | None:
    texts = (_text(file).strip() for file in files)
    return next((int(text) for text in texts if text.isdecimal()), None)


def _in_kilobytes(file: str, name: str) -> int | None:
    words = (line.split() for line in _text(file).splitlines())
    return next((int(line[1]) * 1024 for line in words if line[:1] == [name]), None)


def _reclaimable(file: str) -> int:
    """Bytes of files in the cache, which make room."""
    words = (line.split() for line in _text(file).splitlines())
    found = {line[0]: int(line[1]) for line in words if len(line) == 2 and line[1].isdecimal()}
    return next((found[name] for name in reversed(RECLAIMABLE) if name in found), 0)
