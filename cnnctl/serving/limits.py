"""Bounds on what requests may be, and the middleware that keeps to them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cnnctl.serving.replies import refuse

CLOSE = {"connection": "close"}
LINGERING = 2.0
"""Seconds in which the rest of a refused request is read and dropped, so that its sender gets the
answer rather than a broken connection."""
MOST_DROPPED = 2**23
"""Bytes of it, at most."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on requests."""

    body: int = 32 * 2**20
    """Bytes of the body of a request."""
    bodies: int = 256 * 2**20
    """Bytes of all bodies that are in memory together."""
    json: int = 8 * 2**20
    """Bytes of JSON, which takes many times as much memory."""
    samples: int = 1000
    """Pictures or rows of a request."""
    pixels: int = 25_000_000
    """Pixels of a picture."""
    seconds: float = 30.0
    """In which a request has to arrive, and within which its answer is taken."""
    connections: int = 256
    """Connections at the same time."""
    waiting: int = 2000
    """Samples of a model under way, from their decoding to their answers."""
    waiting_bytes: int = 256 * 2**20
    """Memory of these samples."""


class _Budget:
    """Bytes of bodies that are in memory."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    @contextmanager
    def taking(self) -> Iterator[_Share]:
        """A share that grows with a request, and is given back at its end."""
        share = _Share(self)
        try:
            yield share
        finally:
            self._left += share.size

    def take(self, size: int) -> None:
        """Raise an HTTPException if there are not so many bytes left."""
        if size > self._left:
            detail = "too many uploads at the same time; try again"
            raise HTTPException(503, detail, headers={"retry-after": "1", **CLOSE})
        self._left -= size


class _Share:
    def __init__(self, budget: _Budget) -> None:
        self._budget, self.size = budget, 0

    def grow_to(self, size: int) -> None:
        """Take what is missing."""
        if size > self.size:
            self._budget.take(size - self.size)
            self.size = size


class Limited:
    """Middleware: bodies end within a limit of bytes, one by one and together."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._budget = _Budget(limits.bodies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = _announced(scope)
        with self._budget.taking() as share:
            body = _Body(receive, share, self._limits.body, is_there=announced != 0)
            answer = _Reply(send, body)
            try:
                body.check(announced or 0)
            except HTTPException as error:
                await refuse(error, scope, receive, answer.send)
                return
            await self._app(scope, body.receive, answer.send)


def _announced(scope: Scope) -> int | None:
    """Bytes of the body as the headers say; None for chunks of unknown sizes."""
    headers = dict(scope["headers"])
    if b"transfer-encoding" in headers:
        return None
    return int(headers.get(b"content-length", b"0"))


class _Body:
    """The body of a request, as far as it has arrived."""

    def __init__(self, receive: Receive, share: _Share, limit: int, *, is_there: bool) -> None:
        self._receive, self._share, self._limit = receive, share, limit
        self._read = 0
        self.is_complete = not is_there

    def check(self, size: int) -> None:
        """Raise an HTTPException for a body of this size."""
        if size > self._limit:
            detail = f"the request is larger than the limit of {self._limit:,} bytes"
            raise HTTPException(413, detail, headers=CLOSE)

    async def receive(self) -> Message:
        """The next part; raises an HTTPException where it is too much."""
        message = await self._receive()
        if message["type"] != "http.request":
            self.is_complete = True
            return message
        self.is_complete = not message.get("more_body", False)
        self._read += len(message.get("body", b""))
        self.check(self._read)
        self._share.grow_to(self._read)
        return message

    async def drop(self) -> None:
        """Read on for a moment, and keep nothing."""
        dropped = 0
        while not self.is_complete and dropped < MOST_DROPPED:
            message = await self._receive()
            dropped += len(message.get("body", b""))
            self.is_complete = not message.get("more_body", False)


class _Reply:
    """The way of an answer; the connection ends with it if the request has not been read."""

    def __init__(self, send: Send, body: _Body) -> None:
        self._send, self._body = send, body

    async def send(self, message: Message) -> None:
        """Pass a part on."""
        if self._body.is_complete:
            await self._send(message)
        elif message["type"] == "http.response.start":
            others = [pair for pair in message["headers"] if pair[0] != b"connection"]
            await self._send({**message, "headers": [*others, (b"connection", b"close")]})
        else:
            await self._send({**message, "more_body": True})
            if not message.get("more_body", False):
                with suppress(TimeoutError):
                    async with asyncio.timeout(LINGERING):
                        await self._body.drop()
                await self._send({"type": "http.response.body", "body": b""})
