"""Answers of the service: JSON bytes, and refusals that say why."""

from __future__ import annotations

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


def as_json(content: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer of plain data.

    Raises:
        HTTPException: it has numbers that are not finite, which JSON lacks.
    """
    try:
        body = json.dumps(content, allow_nan=False).encode()
    except ValueError:
        detail = "the network gives numbers that are not finite"
        raise HTTPException(500, detail) from None
    return Response(body, status, headers, media_type="application/json")


def error_reply(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """An error as JSON: `{"detail": …}`."""
    return as_json({"detail": detail}, status=status, headers=headers)


async def refuse(error: HTTPException, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with an error."""
    await _of(error)(scope, receive, send)


async def on_http_error(_request: Request, error: Exception) -> Response:
    """The answer to an error that a route raises."""
    assert isinstance(error, HTTPException)
    return _of(error)


async def on_left(_request: Request, _error: Exception) -> Response:
    """What nobody reads: the client left before its request had arrived."""
    return error_reply(400, "the request ends early")


async def on_bug(_request: Request, _error: Exception) -> Response:
    """The answer to an error of ours, whose traceback is for the log."""
    return error_reply(500, "internal error")


def _of(error: HTTPException) -> Response:
    return error_reply(error.status_code, error.detail, dict(error.headers or {}))
