"""The files in an uncompressed .tar archive, by their headers.

Those of the usual files are read here, in a fourth of the time that `tarfile` takes, and all others
by it: for 50,000 pictures and their classes, 0.6 and 2.6 seconds.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import IO, cast

BLOCK = tarfile.BLOCKSIZE
MAX_HEADER = 2**20
"""Bytes of an extended header, such as that of a long name."""
FIELDS = Struct("100s24x12s12x8sc100x8x80x155s12x")
"""Name, size, checksum, type and prefix."""
FILE, EXTENDED = b"0", b"x"
KNOWN = {b"path", b"mtime", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname"}
"""Keys of extended headers that say nothing about where the content is."""


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in an archive."""

    name: str
    offset: int
    """Where its content begins, in bytes."""
    size: int


def members(raw: IO[bytes]) -> Iterator[Member]:
    """The regular files of an archive, from its start.

    Raises:
        OSError: it cannot be read.
        tarfile.TarError, ValueError, OverflowError, RecursionError: it is cut short or damaged.
    """
    place = 0
    while (found := _usual(raw, place)) is not None:
        yield found
        place = _after(found.offset, found.size)
    yield from _others(raw, place)


def _usual(raw: IO[bytes], place: int) -> Member | None:
    """The file whose header is here; None if there is none, or it needs `tarfile`."""
    try:
        size, kind, name = _fields(raw, place)
        if kind == EXTENDED and size <= MAX_HEADER:
            known = dict(_records(raw.read(size)))
            if not known.keys() <= KNOWN:
                return None
            place = _after(place + BLOCK, size)
            size, kind, name = _fields(raw, place)
            name = known.get(b"path", name)
        is_usual = kind == FILE and name and not name.endswith(b"/")
        return Member(name.decode(), place + BLOCK, size) if is_usual else None
    except ValueError:
        return None


def _fields(raw: IO[bytes], place: int) -> tuple[int, bytes, bytes]:
    """Size, type and name of the header that is here.

    Raises:
        ValueError: there is none, or it needs `tarfile`.
    """
    raw.seek(place)
    block = raw.read(BLOCK)
    if len(block) < BLOCK:
        raise ValueError("no whole header")
    name, size, checksum, kind, prefix = FIELDS.unpack(block)
    if prefix[0] or _octal(checksum) != sum(block) - sum(checksum) + len(checksum) * ord(" "):
        raise ValueError("not a usual header")
    return _octal(size), kind, name.partition(b"\0")[0]


def _octal(field: bytes) -> int:
    text = field.rstrip(b"\0 ")
    if not text.isdigit():
        raise ValueError("not an octal number")
    return int(text, 8)


def _records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of an extended header: `30 mtime=1700000000.1234567\\n`."""
    place = 0
    while place < len(content):
        space = content.index(b" ", place)
        end = place + int(content[place:space])
        if not space < end <= len(content):
            raise ValueError("a record with a wrong length")
        key, _, value = content[space + 1 : end - 1].partition(b"=")
        yield key, value
        place = end


def _after(offset: int, size: int) -> int:
    """Where the header behind a content is."""
    return offset + -(-size // BLOCK) * BLOCK


def _others(raw: IO[bytes], place: int) -> Iterator[Member]:
    """The regular files from here on."""
    raw.seek(place)
    with tarfile.open(fileobj=cast("IO[bytes]", _Bounded(raw)), mode="r:") as archive:
        for member in archive:
            if member.isreg() and not member.issparse():
                yield Member(member.name, member.offset_data, member.size)
        raw.seek(archive.offset)
    end = raw.read(BLOCK)
    if len(end) < BLOCK:
        raise tarfile.ReadError("the end of the archive is missing")
    if any(end):
        raise tarfile.ReadError("a header is damaged")


def is_below(name: str) -> bool:
    """Whether the name of a file stays below its archive."""
    parts = name.split("/")  # in a sixth of the time of PurePosixPath
    leads_out = name.startswith("/") or "\\" in name or ".." in parts
    return not leads_out and any(part not in ("", ".") for part in parts)


def size_of(raw: IO[bytes]) -> int:
    """Bytes of an open file."""
    return os.fstat(raw.fileno()).st_size


class _Bounded:
    """A file of which headers are read: none is so long that it would take much memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        """As that of a file.

        Raises:
            tarfile.ReadError: more is asked for than a header has.
        """
        if size > MAX_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._file.read(size)
