"""The server: a socket, uvicorn, and signals that end it once everybody has been answered."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from signal import Signals

import uvicorn
from starlette.types import ASGIApp

from cnnctl.errors import FaultError, config_fault
from cnnctl.serving.connections import connection_of
from cnnctl.serving.limits import Limits
from cnnctl.training.signals import StopSignals

MOST_WAITING = 512
"""Connections that the system accepts before the service does."""
GRACE = 30
"""Seconds for requests that are under way when a signal comes."""
POLLED = 0.05
"""Seconds between two looks for a signal."""


def bound(host: str, port: int) -> socket.socket:
    """A socket at this address, before the time that models take to load; port 0 is any free one.

    Raises:
        FaultError: the address is in use, not of this machine, or not permitted.
    """
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):
        hint = "use 127.0.0.1, 0.0.0.0 or an address of this machine"
        raise config_fault(f"--host: {host} is no address", hint=hint) from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(MOST_WAITING)  # or another process could still take the port
    except OSError as error:
        listening.close()
        raise _unbound(host, port, error) from None
    return listening


def _unbound(host: str, port: int, error: OSError) -> FaultError:
    message = f"cannot listen on {host}, port {port}: {error.strerror}"
    return config_fault(message, hint="use another --port, or --port 0 for any free one")


def url_of(listening: socket.socket) -> str:
    """What a browser on this machine opens."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn, which leaves signals to us: it would not let a second SIGTERM end the program."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def serve(
    app: ASGIApp, listening: socket.socket, limits: Limits, *, ready: Callable[[], object]
) -> Signals | None:
    """Serve until a signal comes and all requests have been answered; a second ends the program.

    ready: is called once requests are answered.

    Returns the signal.
    """
    config = uvicorn.Config(
        app,
        http=connection_of(limits),
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=round(limits.seconds),
        timeout_graceful_shutdown=GRACE,
    )
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it logs what we answer
    server = _Server(config)
    with StopSignals() as signals:
        asyncio.run(_run(server, listening, signals, ready))
    return signals.received


async def _run(
    server: _Server, listening: socket.socket, signals: StopSignals, ready: Callable[[], object]
) -> None:
    async with _watched(server, signals, ready):
        await server.serve([listening])


@asynccontextmanager
async def _watched(
    server: _Server, signals: StopSignals, ready: Callable[[], object]
) -> AsyncIterator[None]:
    """Say when the server is ready, and end it at a signal."""

    async def watch() -> None:
        while not server.started:
            await asyncio.sleep(POLLED)
        ready()
        while not signals.were_received():
            await asyncio.sleep(POLLED)
        server.should_exit = True

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
