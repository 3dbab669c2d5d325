"""The page to try models on, and what else of the package a browser may load."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cnnctl.serving import describing

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
PAGE = "index.html"


def page_routes() -> list[Route]:
    """The page at `/`, its files below `/static/`, all read at the start, and `/docs`."""
    folder = Path(__file__).parent / "static"
    files = {
        file.name: (file.read_bytes(), TYPES[file.suffix])
        for file in sorted(folder.iterdir())
        if file.suffix in TYPES
    }

    async def page(_request: Request) -> Response:
        content, media_type = files[PAGE]
        return Response(content, media_type=media_type)

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in files:
            raise HTTPException(404, "there is no such file")
        content, media_type = files[name]
        return Response(content, media_type=media_type)

    async def docs(_request: Request) -> Response:
        return Response(describing.page(), media_type=TYPES[".html"])

    return [Route("/", page), Route("/docs", docs), Route("/static/{name}", static)]
