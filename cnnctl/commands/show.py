"""`cnnctl show`: a network of the zoo as YAML."""

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
            help="Network, as listed by `cnnctl list zoo`.",
            show_default=False,
            autocompletion=completion.network,
        ),
    ],
    options: Annotated[
        list[str] | None,
        typer.Argument(
            help="Options to set, such as width=32.",
            metavar="[OPTION=VALUE]...",
            show_default=False,
            autocompletion=completion.network_option,
        ),
    ] = None,
) -> None:
    """Print a published network as YAML, as a starting point for your own."""
    from cnnctl.config.overrides import apply
    from cnnctl.config.source import Node, Place
    from cnnctl.experiment import placed
    from cnnctl.model import zoo

    named, words = split_words([network, *(options or ())], for_two="show one of them")
    chosen = zoo.find(named or network)
    given = apply(Node({}, Place(chosen.kind)), words)
    with placed(given):
        say(zoo.text_of(chosen, given).removesuffix("\n"))
