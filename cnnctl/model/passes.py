"""Whether a forward pass is the first, or repeats one for the backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_REPEATS: ContextVar[bool] = ContextVar("repeats", default=False)


def is_repeated() -> bool:
    """Whether layers run again for the backward pass: what they output has been noted before."""
    return _REPEATS.get()


@contextmanager
def repeated() -> Iterator[None]:
    """What runs in this context, runs again."""
    token = _REPEATS.set(True)
    try:
        yield
    finally:
        _REPEATS.reset(token)
