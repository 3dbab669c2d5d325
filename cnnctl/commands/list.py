"""`cnnctl list`: every kind there is, with its options, defaults and short form."""

from __future__ import annotations

from typing import Annotated

import typer

from cnnctl.commands import AsJson, command, display


@command("list")
def list_kinds(
    family: Annotated[
        str,
        typer.Argument(
            help="layers, zoo, datasets, losses, optimizers, or another family; all without it.",
            show_default=False,
        ),
    ],
    kind: Annotated[str, typer.Argument(help="One of them, for its options.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show the kinds of a family, or the options of one kind."""
    import json

    from cnnctl.catalogue import describe_family, describe_kind, find, render_family, render_kind

    chosen = find(family, kind)
    facts = describe_kind(chosen) if kind else describe_family(chosen)
    if as_json:
        typer.echo(json.dumps(facts, indent=1, ensure_ascii=False))
    else:
        display(render_kind(chosen) if kind else render_family(chosen))
