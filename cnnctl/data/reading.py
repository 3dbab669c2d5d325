"""Exceptions of reading a file, as faults that name it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cnnctl.errors import FaultError, data_fault
from cnnctl.storage import reading_cure


@contextmanager
def reading(
    place: str, *, damage: tuple[type[Exception], ...], found: str, cure: str
) -> Iterator[None]:
    """Turn OSError and `damage` into data faults; others, and faults, pass.

    damage: what a library raises for content that is damaged.
    found: what such a file is, such as `is a damaged archive`.
    cure: the hint for it.
    """
    try:
        yield
    except FaultError:
        raise
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise data_fault(message, hint=reading_cure(error), place=place) from None
    except damage as error:
        raise data_fault(f"{found}: {error}", hint=cure, place=place) from None
