"""The whole application: endpoints within their middleware."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from cnnctl.serving.access import LOCAL_NAMES, Guarded
from cnnctl.serving.limits import Limited
from cnnctl.serving.metrics import Measured
from cnnctl.serving.pages import page_routes
from cnnctl.serving.replies import on_bug, on_http_error, on_left
from cnnctl.serving.routes import Endpoints
from cnnctl.serving.service import Service

PATHS = frozenset(
    ("/", "/predict", "/explain", "/models", "/health", "/metrics", "/docs", "/openapi.json")
)
"""What is counted by path."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask."""

    token: str | None = None
    """What requests have to bear; None if anybody may ask."""
    is_local: bool = True
    """Whether the service is for this machine alone, and only its names are accepted."""
    origins: Sequence[str] = ()
    """Web pages that may read answers (CORS)."""


def application(
    service: Service,
    access: Access = Access(),
    *,
    log: Callable[[str], object] | None = None,
) -> ASGIApp:
    """The service as an ASGI application; it starts and stops the service with itself.

    log: is told every request in a line.
    """
    app = Starlette(
        routes=[*Endpoints(service).routes(), *page_routes()],
        lifespan=_lifespan(service),
        exception_handlers={
            HTTPException: on_http_error,
            ClientDisconnect: on_left,
            Exception: on_bug,
        },
    )
    guarded: ASGIApp = Guarded(
        app, token=access.token, hosts=LOCAL_NAMES if access.is_local else None
    )
    if access.origins:
        allowed = ["authorization", "content-type"]
        guarded = CORSMiddleware(
            guarded, allow_origins=access.origins, allow_headers=allowed, allow_methods=["*"]
        )
    limited = Limited(guarded, service.limits)
    return Measured(limited, service.metrics, PATHS, log)


def _lifespan(service: Service) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def running(_app: Starlette) -> AsyncIterator[None]:
        service.start()
        yield
        service.stop()

    return running
