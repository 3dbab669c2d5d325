"""SIGINT and SIGTERM during training: the first requests a stop, the second exits at once."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

from cnnctl import interruption


class StopSignals:
    """A context that records the first signal in `received`, and exits the process at the second.

    Training checks it between steps, so a step and its checkpoint are never interrupted.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in interruption.NUMBERS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def were_received(self) -> bool:
        """Whether there was a signal."""
        return self.received is not None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            interruption.leave(number)
        self.received = signal.Signals(number)
