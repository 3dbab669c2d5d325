"""`cnnctl list`: the kinds there are, with their options, defaults and short forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnctl import completion
from cnnctl.commands import AsJson, command, display, print_json

if TYPE_CHECKING:
    from rich.console import RenderableType


@command("list")
def list_kinds(
    family: Annotated[
        str,
        typer.Argument(
            help="Family, such as layers or optimizers, or section, such as train. "
            "Lists families and sections if omitted.",
            show_default=False,
            autocompletion=completion.family,
        ),
    ] = "",
    kind: Annotated[
        str,
        typer.Argument(
            help="Kind within the family, such as conv. Shows its options.",
            show_default=False,
            autocompletion=completion.kind,
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the available layers, optimizers, data sets and more, with their options."""
    facts, table = _all() if not family else _one(family, kind)
    if as_json:
        print_json(facts)
    else:
        display(table)


def _all() -> tuple[Any, RenderableType]:
    from cnnctl.catalogue import describe_all
    from cnnctl.catalogue.tables import render_all

    return describe_all(), render_all()


def _one(family: str, kind: str) -> tuple[Any, RenderableType]:
    from cnnctl.catalogue import (
        describe_family,
        describe_kind,
        describe_section,
        find,
        tables,
    )
    from cnnctl.config.choice import Choice

    chosen = find(family, kind)
    if not issubclass(chosen, Choice):
        return describe_section(chosen), tables.render_section(chosen)
    if chosen.kind:
        return describe_kind(chosen), tables.render_kind(chosen)
    return describe_family(chosen), tables.render_family(chosen)
