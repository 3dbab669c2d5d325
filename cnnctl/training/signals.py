"""Signals during training: the first requests a stop, the second does not wait for it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Self

from cnnctl.interruption import NUMBERS, leave


class StopSignals:
    """A context that records the first signal in `received`.

    Training checks it between steps, so a step and its checkpoint are never interrupted.
    """

    def __init__(
        self,
        numbers: Sequence[signal.Signals] = NUMBERS,
        *,
        at_second: Callable[[int], object] = leave,
    ) -> None:
        """Note these signals; `at_second` is called with the number of a second one.

        Only the main thread of a program can handle signals: elsewhere, give none.
        """
        self.numbers, self.at_second = numbers, at_second
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in self.numbers:
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
            self.at_second(number)
        self.received = signal.Signals(number)
