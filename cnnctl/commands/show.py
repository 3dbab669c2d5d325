"""`cnnctl show`: a network of the zoo or a shipped experiment as YAML."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from cnnctl import completion
from cnnctl.commands import command, say, split_words
from cnnctl.errors import Fault, FaultError
from cnnctl.shipped import experiments, text_of


@command("show")
def show(
    name: Annotated[
        str,
        typer.Argument(
            help="Network or experiment, as listed by `cnnctl list zoo` and `cnnctl list configs`.",
            metavar="NAME",
            show_default=False,
            autocompletion=completion.name,
        ),
    ],
    options: Annotated[
        list[str] | None,
        typer.Argument(
            help="Network options, such as width=32.",
            metavar="[OPTION=VALUE]...",
            show_default=False,
            autocompletion=completion.network_option,
        ),
    ] = None,
) -> None:
    """Print a published network or a shipped experiment as YAML, as a starting point."""
    named, words = split_words([name, *(options or ())], for_two="show one at a time")
    name = named or name
    if name in experiments():
        _show_experiment(name, words)
    else:
        _show_network(name, words)


def _show_experiment(name: str, words: Sequence[str]) -> None:
    if words:
        message, hint = (
            f"{name} takes no overrides here",
            f"use cnnctl train {name} {shlex.join(words)}",
        )
        raise FaultError(Fault(message=message, hint=hint))
    say(text_of(name).removesuffix("\n"))


def _show_network(name: str, words: Sequence[str]) -> None:
    from cnnctl.config.overrides import apply
    from cnnctl.config.source import Node, Place
    from cnnctl.experiment import placed
    from cnnctl.model import zoo
    from cnnctl.sources import find_network

    chosen = find_network(name)
    given = apply(Node({}, Place(chosen.kind)), words)
    with placed(given):
        say(zoo.text_of(chosen, given).removesuffix("\n"))
