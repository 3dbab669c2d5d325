"""SIGINT and SIGTERM: the first asks, the second stops at once."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Self

from cnnctl.errors import ExitCode

_EXIT = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}
SHOW_CURSOR = b"\x1b[?25h"
"""What a terminal needs after a live bar that could not take itself away."""


class StopSignals:
    """While entered, notes the first signal in `received` and leaves the process at the second.

    The loop asks `received` between steps, so that a step and its checkpoint are never torn.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in _EXIT:
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

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            if sys.stdout.isatty():
                os.write(sys.stdout.fileno(), SHOW_CURSOR)
            os._exit(_EXIT[signal.Signals(number)])
        self.received = signal.Signals(number)
