"""SIGINT and SIGTERM outside training: clean up partial work and exit at once.

The handler never raises. An exception from it could surface anywhere: in an import, where a C
extension aborts or leaves a half-initialised module, or in a destructor, where Python ignores it.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, suppress

TYPE_CHECKING = False  # typing takes as long to import as all the rest, without a handler
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import NoReturn

NUMBERS = (signal.SIGINT, signal.SIGTERM)
BY_SIGNAL = 128
"""A program that a signal ended has this exit code plus the signal's number, as in shells."""
_SHOW_CURSOR = b"\x1b[?25h"
"""Restores the terminal after a live bar that could not remove itself."""

_undoing: list[Callable[[], object]] = []
"""Cleanup callbacks, called in reverse order."""
_holders: list[object] = []
"""Tokens of the active `unbroken` sections."""
_held: list[int] = []
"""The signal that arrived during them, if any."""
_owner = os.getpid()
"""The process that registered the callbacks; its forks must not run them."""


def install() -> None:
    """Handle both signals by ending this program."""
    for number in NUMBERS:
        signal.signal(number, _arrive)


def ignore() -> None:
    """Ignore signals once the program is done, so that they cannot change its exit code.

    At exit, Python restores default handlers, which would kill it, but keeps ignored signals.
    """
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)


def _arrive(number: int, frame: FrameType | None) -> None:
    if _holders and not _held:
        _held.append(number)
    else:
        leave(number)


def leave(number: int) -> NoReturn:
    """Clean up partial work, and end the process with this signal's exit code."""
    if os.getpid() == _owner:
        ignore()  # a second signal would interrupt the cleanup
        for undo in reversed(_undoing):
            with suppress(Exception):
                undo()
        _say_so()
    os._exit(BY_SIGNAL + number)


def _say_so() -> None:
    """Bypasses Python's streams, which may be in the middle of a write."""
    with suppress(OSError):
        if sys.stdout is not None and os.isatty(1):
            os.write(1, _SHOW_CURSOR)
    with suppress(OSError):
        if sys.stderr is not None:
            os.write(2, b"stopped\n")


@contextmanager
def unbroken() -> Iterator[None]:
    """Defer a signal until these few lines are done; a second one is not deferred."""
    token = object()
    _holders.append(token)
    try:
        yield
    finally:
        _holders.remove(token)
        if _held and not _holders:
            leave(_held.pop())


def undo_at_signal(undo: Callable[[], object]) -> None:
    """Register a cleanup callback to run before a signal ends the program."""
    _undoing.append(undo)


def forget(undo: Callable[[], object]) -> None:
    """Remove a cleanup callback; may be called twice."""
    if undo in _undoing:
        _undoing.remove(undo)
