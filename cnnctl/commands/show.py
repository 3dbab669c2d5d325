"""`cnnctl show`: a published network as YAML, to start from."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnctl.commands import Overrides, command, say


@command("show")
def show(
    network: Annotated[
        str, typer.Argument(help="A name that `cnnctl list zoo` shows.", show_default=False)
    ],
    options: Overrides = None,
) -> None:
    """Print the YAML of a published network, with options like width=32 in place."""
    from cnnctl.config.overrides import apply
    from cnnctl.config.source import Node, Place
    from cnnctl.experiment import placed
    from cnnctl.model import zoo

    chosen = zoo.find(network)
    given = apply(Node({}, Place(network)), options or ())
    with placed(given):
        say(zoo.text_of(chosen, given).removesuffix("\n"))
