"""`cnnctl summary`: what a network is, layer by layer."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cnnctl.commands import AsJson, Overrides, Plugins, command
from cnnctl.errors import Fault, FaultError


class Style(StrEnum):
    """How a summary looks."""

    TABLE = "table"
    TORCHSUMMARY = "torchsummary"


@command("summary")
def summary(
    source: Annotated[
        Path,
        typer.Argument(
            help="A YAML file, a run folder, a checkpoint or a name of the zoo.", show_default=False
        ),
    ],
    overrides: Overrides = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Samples that memory is counted for.", min=1)
    ] = None,
    depth: Annotated[
        int | None, typer.Option(help="Blocks in blocks that are shown.", min=1, metavar="N")
    ] = None,
    style: Annotated[Style, typer.Option(help="Our own table, or torchsummary's.")] = Style.TABLE,
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    graph: Annotated[
        Path | None, typer.Option(help="Draw the network to a .mmd file, for Mermaid.")
    ] = None,
    plugin: Plugins = None,
) -> None:
    """Show every layer's shape, parameters and cost."""
    import json

    from rich.console import Console

    from cnnctl import inspection
    from cnnctl.opening import open_experiment

    loaded = open_experiment(source, overrides or (), plugin or ())
    if style is Style.TORCHSUMMARY and (as_json or markdown):
        message = "torchsummary prints text only"
        raise FaultError(Fault(message=message, cure="leave out --style, or --json and --markdown"))
    if graph is not None:
        inspection.draw(loaded.plan, graph)
    if style is Style.TORCHSUMMARY:
        typer.echo(inspection.torchsummary_text(loaded.plan, batch_size=batch_size or -1), nl=False)
        return
    size = batch_size or loaded.experiment.data.batch_size
    samples = loaded.description.train_samples if size == "all" else size
    facts = inspection.gather(loaded.plan, batch_size=samples)
    if as_json:
        typer.echo(json.dumps(inspection.to_json(facts), indent=1))
    elif markdown:
        typer.echo(inspection.to_markdown(facts, depth=depth))
    else:
        Console().print(inspection.render(facts, depth=depth))
