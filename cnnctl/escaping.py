"""Escaping of untrusted text for printing: terminal control characters become visible.

Files, names and foreign exceptions can contain sequences that move the cursor, set the window's
title or reverse the reading order. All untrusted text goes through `visible`; `guard` is the safety
net for what other libraries print.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, TextIO

_STEERING = (
    r"\x00-\x1f\x7f-\x9f"  # C0 and C1: escape sequences, bells, backspaces
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # reading order
    r"\u2028\u2029"  # line and paragraph separators
    r"\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"  # invisible characters
    r"\ud800-\udfff"  # bytes of file names that are not UTF-8
)
_ANY = re.compile(f"[{_STEERING}]")
_BUT_LINES = re.compile(rf"(?![\n\t])[{_STEERING}]")
_LOOKS = r"\x1b\[[\d;]*m|\x1b\[\?25[hl]|\x1b\[\d*[AGK]|\r"
"""Sequences that rich writes to a terminal: colours, cursor visibility, redrawn lines."""
_BUT_LOOKS = re.compile(rf"({_LOOKS})|{_BUT_LINES.pattern}")
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_COLORED = ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS")
"""Variables that make rich or typer write colours to a pipe."""


def visible(text: str) -> str:
    r"""One line of text with terminal control characters escaped, as `\x1b` or `\u202e`."""
    return _ANY.sub(_escape, text)


def visible_lines(text: str) -> str:
    """The same for text whose line breaks and tabs are our own."""
    return _BUT_LINES.sub(_escape, text)


def to_json(data: Any) -> str:
    """Data as JSON that is safe to print, and that parses to the same data."""
    text = json.dumps(data, indent=1, ensure_ascii=False)
    return _BUT_LINES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return _NAMED.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


class OutputError(OSError):
    """Standard output cannot be written, such as a file on a full disk or a failed device."""


class _Guarded(TextIOWrapper):
    """A text stream that lets only colours and redrawn lines control the terminal."""

    has_looks = False
    is_needed = True
    """Whether a failed write is an error; for stderr, there is nowhere to report it."""

    def write(self, text: str) -> int:
        """Write escaped text; returns the length of the original."""
        if self.has_looks:
            shown = _BUT_LOOKS.sub(lambda found: found[1] or _escape(found), text)
        else:
            shown = _BUT_LINES.sub(_escape, text)
        with self._writing():
            super().write(shown)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        with self._writing():
            super().flush()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            # Python would try to write the rest of the buffer again at exit, and fail again
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if self.is_needed:
                raise OutputError(error.errno, error.strerror) from None


def guard() -> None:
    """Let stdout and stderr escape terminal control characters and what cannot be encoded.

    If one of the standard streams is closed, /dev/null takes its place; otherwise the next file to
    be opened would get its file descriptor, and the output.
    """
    for number in range(3):
        if not _is_open(number):
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free descriptor
    sys.stdout, sys.stderr = _guarded(sys.stdout), _guarded(sys.stderr)
    if isinstance(sys.stderr, _Guarded):
        sys.stderr.is_needed = False


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _guarded(stream: TextIO | None) -> TextIO:
    if stream is None:  # closed before the start
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - to the program's end
    if not isinstance(stream, TextIOWrapper):
        return stream
    guarded = _Guarded(
        stream.buffer,
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    guarded.has_looks = guarded.isatty() or any(map(os.environ.get, _COLORED))
    return guarded
