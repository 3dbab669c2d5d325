"""Times the parts of steps: with the clock on a CPU, with events on a GPU."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import defaultdict
from itertools import pairwise

import torch


class PartClock(ABC):
    """Adds up the time of each part; a part lasts until the next one begins."""

    @abstractmethod
    def mark(self, part: str) -> None:
        """A part begins."""

    @abstractmethod
    def read(self) -> dict[str, float]:
        """Seconds of each part since the last reading; waits for the device."""


class CpuClock(PartClock):
    """For a device that computes while the program waits."""

    def __init__(self) -> None:
        self._taken = defaultdict[str, float](float)
        self._part, self._since = "", time.perf_counter()

    def mark(self, part: str) -> None:
        """A part begins."""
        now = time.perf_counter()
        self._taken[self._part] += now - self._since
        self._part, self._since = part, now

    def read(self) -> dict[str, float]:
        """Seconds of each part since the last reading."""
        self.mark("")
        taken, self._taken = self._taken, defaultdict(float)
        return {part: seconds for part, seconds in taken.items() if part}


class CudaClock(PartClock):
    """For a device that computes later: events in its queue note the time when they are reached."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._marks = list[tuple[str, torch.Event]]()

    def mark(self, part: str) -> None:
        """A part begins."""
        event = torch.Event(self._device, enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        self._marks.append((part, event))

    def read(self) -> dict[str, float]:
        """Seconds of each part since the last reading."""
        self.mark("")
        torch.cuda.synchronize(self._device)
        taken = defaultdict[str, float](float)
        for (part, begun), (_, ended) in pairwise(self._marks):
            taken[part] += begun.elapsed_time(ended) / 1000
        self._marks.clear()
        return dict(taken)


def clock_for(device: torch.device) -> PartClock:
    """The clock of a device."""
    return CudaClock(device) if device.type == "cuda" else CpuClock()
