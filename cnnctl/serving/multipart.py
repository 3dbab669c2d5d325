"""The files of a multipart body, read as it arrives; nothing is written to disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException

MAX_NAME = 255
"""Characters of a file name that are kept; it is only shown, never used as a path."""
MAX_HEADERS = 8
MAX_BOUNDARY = 70
"""Characters of a boundary (RFC 2046, 5.1.1)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a multipart body."""

    name: str
    """As its sender calls it."""
    content: bytes


async def files_of(chunks: AsyncIterator[bytes], content_type: str, *, most: int) -> list[Part]:
    """The files in a body.

    Raises:
        HTTPException: it is damaged or ends early (400), has too many parts (413), or a part that
            is no file (422).
    """
    reader = _Reader(most)
    parser = MultipartParser(
        _boundary(content_type),
        {
            "on_part_begin": reader.begin,
            "on_header_field": reader.header_name,
            "on_header_value": reader.header_value,
            "on_header_end": reader.header_end,
            "on_part_data": reader.data,
            "on_part_end": reader.end,
            "on_end": reader.finish,
        },
        max_header_count=MAX_HEADERS,
    )
    try:
        async for chunk in chunks:
            parser.write(chunk)
    except FormParserError as error:
        raise HTTPException(400, f"the multipart body is damaged: {error}") from None
    if not reader.is_finished:
        raise HTTPException(400, "the multipart body ends early")
    return reader.parts


def _boundary(content_type: str) -> bytes:
    """The boundary that a content type names."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not 0 < len(boundary) <= MAX_BOUNDARY:
        raise HTTPException(400, "the content type multipart/form-data names no boundary")
    return boundary


@dataclass
class _Reader:
    """Collects what the parser finds."""

    most: int
    parts: list[Part] = field(default_factory=list)
    is_finished: bool = False

    def begin(self) -> None:
        """A part begins."""
        if len(self.parts) == self.most:
            detail = f"the request has more than {self.most:,} parts"
            raise HTTPException(413, detail, headers={"connection": "close"})
        self._headers = dict[bytes, bytes]()
        self._field, self._value, self._content = b"", b"", list[bytes]()

    def header_name(self, data: bytes, start: int, end: int) -> None:
        """A piece of the name of a header."""
        self._field += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        """A piece of its value."""
        self._value += data[start:end]

    def header_end(self) -> None:
        """A header ends."""
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def data(self, data: bytes, start: int, end: int) -> None:
        """A piece of the content."""
        self._content.append(data[start:end])

    def end(self) -> None:
        """A part ends."""
        options = parse_options_header(self._headers.get(b"content-disposition"))[1]
        name = options.get(b"filename")
        if name is None:
            named = _text(options.get(b"name", b""))
            raise HTTPException(422, f"the part {named!r} is no file: it has no file name")
        self.parts.append(Part(_text(name), b"".join(self._content)))

    def finish(self) -> None:
        """The last boundary was found."""
        self.is_finished = True


def _text(name: bytes) -> str:
    return name.decode(errors="replace")[:MAX_NAME]
