"""Who may ask: the middleware that checks hosts and tokens before a request is read."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from ipaddress import ip_address

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cnnctl.serving.replies import refuse

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
"""What a browser on this machine calls the service; any other name may belong to an attacker whose
DNS leads here (DNS rebinding)."""
OPEN_PATHS = ("/", "/health", "/docs", "/openapi.json")
OPEN_FOLDER = "/static/"
"""What is the same for everybody, so that a page can ask for the token."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


def is_loopback(host: str) -> bool:
    """Whether a host to listen on can only be reached from this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class Guarded:
    """Middleware: checks host and token, and adds the headers that keep browsers careful."""

    def __init__(self, app: ASGIApp, *, token: str | None, hosts: Collection[str] | None) -> None:
        """Guard an app.

        token: what a request has to bear; None if anybody may ask.
        hosts: names that requests may ask for; None for any.
        """
        self._app, self._hosts = app, hosts
        self._wanted = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                added = (pair for pair in HEADERS if pair[0] not in given)
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        headers = dict(scope["headers"])
        try:
            self._check_host(headers.get(b"host", b"").decode("latin-1"))
            self._check_token(headers.get(b"authorization", b""), scope["path"], scope["method"])
        except HTTPException as error:
            await refuse(error, scope, receive, adding)
            return
        await self._app(scope, receive, adding)

    def _check_host(self, host: str) -> None:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if self._hosts is not None and name.lower() not in self._hosts:
            detail = f"the host {host[:100]!r} is not served here: ask for localhost or 127.0.0.1"
            raise HTTPException(421, detail)

    def _check_token(self, given: bytes, path: str, method: str) -> None:
        is_open = path in OPEN_PATHS or path.startswith(OPEN_FOLDER) or method == "OPTIONS"
        if self._wanted is None or is_open or hmac.compare_digest(given, self._wanted):
            return
        detail = "this needs the token of the service: Authorization: Bearer TOKEN"
        raise HTTPException(401, detail, headers={"www-authenticate": "Bearer"})
