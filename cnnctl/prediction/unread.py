"""The inputs that could not be read, to be named once the others are answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cnnctl.errors import SHOWN, ExitCode, Fault, FaultError
from cnnctl.prediction.answers import Answered


class Unread:
    """Counts the answers, and notes the faults of inputs without one."""

    def __init__(self, *, hint: str) -> None:
        """`hint` says where faults that are not shown can be found."""
        self.answered = 0
        self.faults: list[Fault] = []
        self._hint = hint

    def noting(self, answered: Iterable[Answered]) -> Iterator[Answered]:
        """Pass everything on, count it, and note what has no answer."""
        for each in answered:
            if each.fault is None:
                self.answered += 1
            else:
                self.faults += each.fault.faults
            yield each

    def report(self) -> None:
        """Raise a FaultError if there was one."""
        if self.faults:
            rest = len(self.faults) - SHOWN
            more = f"and {rest:,} more inputs could not be read"
            last = [Fault(message=more, hint=self._hint)] if rest > 0 else []
            every = tuple(self.faults)
            shown = (*self.faults[:SHOWN], *last)
            raise FaultError(*shown, exit_code=ExitCode.DATA, every=every)
