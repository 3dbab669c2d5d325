"""Files of text that users bring along: reading them, and faults by line."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cnnctl.errors import FaultError, data_fault
from cnnctl.paths import is_file
from cnnctl.storage import read_regular, reading_cure

Unit = Literal["line", "row"]
"""What the place of something in a file counts, from 1."""
BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_content(path: Path, *, limit: int, missing: str) -> bytes:
    """The content of a file of at most `limit` bytes; `missing` is the hint if there is none.

    Raises:
        FaultError: it cannot be read, or is too large.
    """
    place = str(path)
    if not is_file(path):
        raise data_fault("no such file", hint=missing, place=place)
    try:
        return read_regular(path, limit=limit)
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise data_fault(message, hint=reading_cure(error), place=place) from None


def text_of(content: bytes, place: str) -> str:
    """The text of a file, without a byte order mark.

    Raises:
        FaultError: it is not text in UTF-8.
    """
    cure = "save the file as UTF-8"
    if content.startswith(BYTE_ORDER_MARKS):
        raise data_fault("is UTF-16, not UTF-8", hint=cure, place=place)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"is not UTF-8: byte {error.start:,} is 0x{content[error.start]:02x}"
        raise line_fault(place, line, message, hint=cure) from None
    at = text.find("\0")
    if at >= 0:
        raise nul_fault(place, text.count("\n", 0, at) + 1)
    return text.removeprefix("\ufeff")


def line_fault(
    place: str, line: int, message: str, *, hint: str, unit: Unit = "line"
) -> FaultError:
    """A fault in a line, or a row, of a file."""
    return data_fault(message, hint=hint, place=place_in(place, line, unit))


def nul_fault(place: str, line: int, *, unit: Unit = "line") -> FaultError:
    """A NUL character in a line, or a row, of a file."""
    return line_fault(
        place, line, "has a NUL character", hint="export it again, as text", unit=unit
    )


def place_in(place: str, number: int, unit: Unit) -> str:
    """How messages name a line of a file, as editors know it, or a row."""
    return f"{place}:{number}" if unit == "line" else f"{place}: {unit} {number}"
