"""SIGINT and SIGTERM outside training: clean up partial work and exit at once.

The handler raises nothing. An exception out of it would arrive anywhere: in an import, where a C
extension aborts or keeps half a module, or in a destructor, where Python swallows it.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, suppress

TYPE_CHECKING = False  # typing takes as long to import as all the rest: milliseconds without cover
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import NoReturn

NUMBERS = (signal.SIGINT, signal.SIGTERM)
BY_SIGNAL = 128
"""How shells count: a program that a signal ended has this exit code and the signal's number."""
_SHOW_CURSOR = b"\x1b[?25h"
"""What a terminal needs after a live bar that could not take itself away."""

_undoing: list[Callable[[], object]] = []
"""Cleanup callbacks, called in reverse order."""
_holders: list[object] = []
"""Who is doing what must not be torn."""
_held: list[int] = []
"""The signal that came meanwhile."""
_owner = os.getpid()
"""The process whose half-made things these are; its forks leave them alone."""


def install() -> None:
    """Let both signals end this program."""
    for number in NUMBERS:
        signal.signal(number, _arrive)


def ignore() -> None:
    """Let no signal change how a program ends that is done.

    Python's last act gives handlers back to the system, which would kill it; not ignored signals.
    """
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)


def _arrive(number: int, frame: FrameType | None) -> None:
    if _holders and not _held:
        _held.append(number)
    else:
        leave(number)


def leave(number: int) -> NoReturn:
    """Undo what is half made, and end the process by this signal's exit code."""
    if os.getpid() == _owner:
        ignore()  # a second signal would tear what is undone
        for undo in reversed(_undoing):
            with suppress(Exception):
                undo()
        _say_so()
    os._exit(BY_SIGNAL + number)


def _say_so() -> None:
    """Past Python's streams, which may be in the middle of a write."""
    with suppress(OSError):
        if sys.stdout is not None and os.isatty(1):
            os.write(1, _SHOW_CURSOR)
    with suppress(OSError):
        if sys.stderr is not None:
            os.write(2, b"stopped\n")


@contextmanager
def unbroken() -> Iterator[None]:
    """Let a signal wait until these few lines are done; a second one does not wait."""
    token = object()
    _holders.append(token)
    try:
        yield
    finally:
        _holders.remove(token)
        if _held and not _holders:
            leave(_held.pop())


def undo_at_signal(undo: Callable[[], object]) -> None:
    """Do this before a signal ends the program, until it is forgotten."""
    _undoing.append(undo)


def forget(undo: Callable[[], object]) -> None:
    """Remove a cleanup callback; may be called twice."""
    if undo in _undoing:
        _undoing.remove(undo)
