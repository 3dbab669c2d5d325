"""The whole application: endpoints within their middleware."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from cnnctl import __version__
from cnnctl.serving.access import LOCAL_NAMES, Guarded
from cnnctl.serving.limits import Limited
from cnnctl.serving.metrics import Measured
from cnnctl.serving.pages import add_pages
from cnnctl.serving.replies import error_reply, on_bug, on_http_error
from cnnctl.serving.routes import router_of
from cnnctl.serving.service import Service

PATHS = frozenset(
    ("/", "/predict", "/explain", "/models", "/health", "/metrics", "/docs", "/openapi.json")
)
"""What is counted by path."""
ABOUT = "Answers of neural networks that were trained with cnnctl."


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
    app = FastAPI(
        title="cnnctl serve",
        version=__version__,
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(service),
        exception_handlers={
            HTTPException: on_http_error,
            RequestValidationError: _on_invalid,
            Exception: on_bug,
        },
    )
    app.include_router(router_of(service))
    add_pages(app)
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


def _lifespan(service: Service) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def running(_app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.stop()

    return running


async def _on_invalid(_request: Request, error: Exception) -> Response:
    """The answer to a parameter that is not valid."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return error_reply(422, f"{first['loc'][-1]}: {first['msg']}")
