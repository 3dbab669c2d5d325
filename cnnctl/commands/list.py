"""`cnnctl list`: all kinds with their options, and the shipped experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnctl import completion
from cnnctl.commands import AsJson, command, display, print_json
from cnnctl.shipped import CONFIGS, experiments
from cnnctl.vocabulary import FORMATS

if TYPE_CHECKING:
    from rich.console import RenderableType


@command("list")
def list_kinds(
    family: Annotated[
        str,
        typer.Argument(
            help="Family, such as layers or optimizers; section, such as train; configs, the "
            "shipped experiments; or formats, those of export. Lists families and sections if "
            "omitted.",
            show_default=False,
            autocompletion=completion.family,
        ),
    ] = "",
    kind: Annotated[
        str,
        typer.Argument(
            help="Kind, such as conv, or experiment, to show with its options.",
            show_default=False,
            autocompletion=completion.kind,
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the available layers, optimizers, datasets, experiments and more."""
    if family == CONFIGS:
        facts, table = _shipped(kind)
    elif family == FORMATS:
        facts, table = _formats(kind)
    else:
        facts, table = _one(family, kind) if family else _all()
    if as_json:
        print_json(facts)
    else:
        display(table)


def _all() -> tuple[Any, RenderableType]:
    from cnnctl.catalogue import describe_all
    from cnnctl.catalogue.tables import render_all

    return describe_all(), render_all()


def _shipped(name: str) -> tuple[Any, RenderableType]:
    from cnnctl.catalogue import describe_experiment, tables

    if name:
        return describe_experiment(name), tables.render_experiment(name)
    return [*map(describe_experiment, experiments())], tables.render_experiments()


def _formats(name: str) -> tuple[Any, RenderableType]:
    from cnnctl.export.catalogue import describe_formats, render_formats

    return describe_formats(name), render_formats(name)


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
