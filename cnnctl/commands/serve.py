"""`cnnctl serve`: answer over HTTP, and show a page to try networks on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cnnctl import completion
from cnnctl.commands import Device, Plugins, command, say
from cnnctl.errors import config_fault
from cnnctl.extras import require

PACKAGES = ("starlette", "uvicorn", "python_multipart", "prometheus_client")
TOKEN = "CNNCTL_TOKEN"


@command("serve")
def serve(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Run folders or checkpoints; several are served side by side.",
            metavar="RUN...",
            show_default=False,
            autocompletion=completion.run,
        ),
    ],
    port: Annotated[int, typer.Option(help="Port; 0 for any free one.", min=0, max=65535)] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine.")
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            help=f"Token that requests have to bear (default: ${TOKEN}, or none).",
            show_default=False,
            envvar=TOKEN,
            show_envvar=False,
        ),
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(
            help="Origin of web pages that may read answers, such as https://example.org.",
            metavar="ORIGIN",
        ),
    ] = None,
    batch_wait: Annotated[
        float,
        typer.Option(
            help="Milliseconds for which a batch waits for requests that have begun.",
            min=0,
            max=1000,
        ),
    ] = 5.0,
    max_batch: Annotated[
        int | None,
        typer.Option(
            help="Samples computed together (default: as many as the network takes at a time).",
            min=1,
            show_default=False,
        ),
    ] = None,
    max_upload: Annotated[int, typer.Option(help="MiB of a request.", min=1, max=1024)] = 32,
    max_pixels: Annotated[
        int, typer.Option(help="Million pixels of a picture.", min=1, max=80)
    ] = 25,
    timeout: Annotated[
        float, typer.Option(help="Seconds in which a request has to arrive.", min=1, max=3600)
    ] = 30.0,
    access_log: Annotated[bool, typer.Option("--access-log", help="Print every request.")] = False,
    device: Device = "auto",
    plugin: Plugins = None,
) -> None:
    """Serve predictions over HTTP, with a page to try them on."""
    for package in PACKAGES:
        require(package, what="cnnctl serve needs")
    check_token(token)
    from cnnctl.serving.access import is_loopback
    from cnnctl.serving.app import Access, application
    from cnnctl.serving.limits import Limits
    from cnnctl.serving.models import open_models
    from cnnctl.serving.server import bound, url_of
    from cnnctl.serving.server import serve as serve_app
    from cnnctl.serving.service import Service

    limits = Limits(body=max_upload * 2**20, pixels=max_pixels * 10**6, seconds=timeout)
    with bound(host, port) as listening:
        models = open_models(sources, device=device, plugins=plugin or ())
        service = Service(models, limits, batch_wait / 1000, max_batch)
        access = Access(token or None, is_loopback(host), cors or ())
        app = application(service, access, log=say if access_log else None)

        def ready() -> None:
            if not access.is_local and access.token is None:
                say(EXPOSED.format(host=host), err=True)
            names = ", ".join(model.name for model in models)
            say(f"serving {names} at {url_of(listening)} (stop with Ctrl+C)")

        stopped_by = serve_app(app, listening, limits, ready=ready)
    if stopped_by is not None:
        say("stopped", err=True)
        raise typer.Exit(128 + stopped_by)


def check_token(token: str | None) -> None:
    """Check that a header can carry a token, whatever its encoding.

    Raises:
        FaultError: it has spaces, or characters beyond ASCII.
    """
    if token and not all("!" <= letter <= "~" for letter in token):
        hint = "use letters, digits and signs of ASCII, without spaces"
        raise config_fault("--token has characters that a request cannot bear", hint=hint)


EXPOSED = (
    "warning: anyone who can reach {host} can use these models and this machine's time;\n"
    "    use --token TOKEN, or --host 127.0.0.1 behind a proxy"
)
