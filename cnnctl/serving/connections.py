"""Connections: how many there may be, and for how long one may ask for nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from cnnctl.serving.limits import LINGERING, Limits

TICKS = 3
"""Looks at a connection within the time that a request has."""


def _reply(status: str, detail: str) -> bytes:
    body = json.dumps({"detail": detail}).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n"
    return f"{head}retry-after: 1\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


FULL = _reply("503 Service Unavailable", "too many connections; try again")
LATE = _reply("408 Request Timeout", "the request did not arrive in time")


def connection_of(limits: Limits) -> type[asyncio.Protocol]:
    """The protocol of a connection within these limits, for uvicorn."""

    class Connection(_Connection):
        """A connection of the service."""

        def __init__(self, **made_of: Any) -> None:
            super().__init__(H11Protocol(**made_of), limits)  # others do not bound headers

    return Connection


class _Corked:
    """A transport that sends what is written at once together: headers with their body.

    uvicorn writes them one by one, and each part that is sent wakes the client.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._parts = transport, list[bytes]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send this soon."""
        if not self._parts:
            asyncio.get_running_loop().call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        """Close the connection once all has been sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        data = b"".join(self._parts)
        self._parts.clear()
        if data and not self._transport.is_closing():
            self._transport.write(data)


class _Connection(asyncio.Protocol):
    """uvicorn's protocol, which would wait forever for requests, and for answers to be taken.

    It is looked at a few times within the time that a request has, which costs less than a timer
    for each.
    """

    def __init__(self, inner: Any, limits: Limits) -> None:
        self._inner, self._limits = inner, limits
        self._is_open = False
        self._seen: object = self
        """What the connection waited for when it was looked at last; itself for nothing."""
        self._looks = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._inner.connections) >= self._limits.connections:
            transport.write(FULL)
            transport.close()
            return
        self._is_open = True
        self._inner.connection_made(_Corked(transport))
        self._look_later()

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._limits.seconds / TICKS, self._look)

    def _look(self) -> None:
        """Leave a connection that has waited for the same all the time."""
        awaited = self._awaited()
        self._looks = self._looks + 1 if awaited is self._seen is not self else 0
        self._seen = awaited
        if self._looks < TICKS - 1:
            self._look_later()
            return
        cycle = self._inner.cycle
        if cycle is not None and not cycle.response_started:
            self._transport.write(LATE)
        self._transport.close()
        self._timer = asyncio.get_running_loop().call_later(LINGERING, self._transport.abort)

    def _awaited(self) -> object:
        """The request whose headers, body or reader is waited for; itself if it is ours to act."""
        cycle = self._inner.cycle
        is_between = cycle is None or cycle.response_complete
        if is_between or cycle.more_body or self._inner.flow.write_paused:
            return cycle
        return self

    def data_received(self, data: bytes) -> None:
        if self._is_open:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._is_open else None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_open:
            self._timer.cancel()
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._is_open:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._is_open:
            self._inner.resume_writing()
