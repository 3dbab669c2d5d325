"""Connections: how many there may be, and for how long one may ask for nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from cnnctl.serving.limits import Limits

_DETAIL = json.dumps({"detail": "too many connections; try again"}).encode()
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(_DETAIL), _DETAIL)
)


def connection_of(limits: Limits) -> type[asyncio.Protocol]:
    """The protocol of a connection within these limits, for uvicorn."""

    class Connection(_Connection):
        """A connection of the service."""

        def __init__(self, **made_of: Any) -> None:
            super().__init__(AutoHTTPProtocol(**made_of), limits)

    return Connection


class _Connection(asyncio.Protocol):
    """uvicorn's protocol, which would wait forever for the headers of a request."""

    def __init__(self, inner: Any, limits: Limits) -> None:
        self._inner, self._limits = inner, limits
        self._is_open = False
        self._seen: object = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._inner.connections) >= self._limits.connections:
            transport.write(FULL)
            transport.close()
            return
        self._is_open = True
        self._inner.connection_made(transport)
        self._look_later()

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._limits.header_seconds, self._look)

    def _look(self) -> None:
        """Leave a connection on which no request has begun since it was looked at last."""
        cycle = self._inner.cycle
        is_idle = cycle is None or cycle.response_complete
        if is_idle and self._seen is cycle:
            self._transport.abort()
            return
        self._seen = cycle if is_idle else self
        self._look_later()

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
