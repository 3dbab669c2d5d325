"""Training speed, excluding time spent on other work."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """Samples and seconds since the rate was last read, without the time between epochs."""

    samples: int = 0
    seconds: float = 0.0
    samples_then: int | None = None
    """Samples of the epoch that are already counted; None while paused."""
    since: float = 0.0

    def go_on(self, samples: int) -> None:
        """Start timing, at this many samples of the epoch."""
        self.samples_then, self.since = samples, time.perf_counter()

    def pause(self, samples: int) -> None:
        """Stop timing, at this many samples of the epoch."""
        self._count(samples, time.perf_counter())
        self.samples_then = None

    def read(self, samples: int, *, now: float) -> float | None:
        """Samples per second since the last call; None if no time has passed."""
        self._count(samples, now)
        rate = self.samples / self.seconds if self.seconds > 0 else None
        self.samples, self.seconds = 0, 0.0
        return rate

    def _count(self, samples: int, now: float) -> None:
        if self.samples_then is not None:
            self.samples += samples - self.samples_then
            self.seconds += now - self.since
        self.samples_then, self.since = samples, now
