"""How busy a machine is with other programs, and since when this one runs; as Linux tells it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from cnnctl.benchmarking.facts import Load

STAT, OWN_STAT = Path("/proc/stat"), Path("/proc/self/stat")
IDLE = (3, 4)
"""Numbers of /proc/stat that count time without work: idle and waiting for a disk; see proc(5)."""
STARTED = 19
"""The number behind the name in /proc/self/stat that tells when the process was started."""


class LoadMeter:
    """Measures the load from now on."""

    def __init__(self) -> None:
        self._started, self._busy, self._own = time.perf_counter(), _busy(), _own()

    def read(self) -> Load:
        """The load since then."""
        cores, busy = os.cpu_count() or 1, _busy()
        if busy is None or self._busy is None:
            return Load(None, cores)
        others = (busy - self._busy) - (_own() - self._own)
        return Load(max(0.0, others / (time.perf_counter() - self._started)), cores)


def _busy() -> float | None:
    """Seconds that all cores together have worked; None if the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        # the last two, guests, are part of the first two
        counts = [int(word) for word in _text(STAT).split()[1:9]]
        idle = sum(counts[position] for position in IDLE)
        return (sum(counts) - idle) / os.sysconf("SC_CLK_TCK")
    return None


def _own() -> float:
    taken = os.times()
    return taken.user + taken.system + taken.children_user + taken.children_system


def seconds_since_start() -> float:
    """Seconds since this process was started; 0 if the system does not tell."""
    with suppress(OSError, ValueError, IndexError, AttributeError):
        words = _text(OWN_STAT).rpartition(")")[2].split()
        started = int(words[STARTED]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    return 0.0


def _text(file: Path) -> str:
    return file.read_text(encoding="ascii", errors="replace")
