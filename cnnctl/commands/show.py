"""`cnnctl show`: a published network as YAML, to start from."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnctl import completion
from cnnctl.commands import command, say, split_words


@command("show")
def show(
    network: Annotated[
        str,
        typer.Argument(
            help="A name that `cnnctl list zoo` shows.",
            show_default=False,
            autocompletion=completion.network,
        ),
    ],
    options: Annotated[
        list[str] | None,
        typer.Argument(
            help="Options to change, like width=32.",
            metavar="[OPTION=VALUE]...",
            show_default=False,
            autocompletion=completion.network_option,
        ),
    ] = None,
) -> None:
    """Print the YAML of a published network, with options like width=32 in place."""
    from cnnctl.config.overrides import apply
    from cnnctl.config.source import Node, Place
    from cnnctl.experiment import placed
    from cnnctl.model import zoo

    named, words = split_words([network, *(options or ())], for_two="show one of them")
    chosen = zoo.find(named or network)
    given = apply(Node({}, Place(chosen.kind)), words)
    with placed(given):
        say(zoo.text_of(chosen, given).removesuffix("\n"))
