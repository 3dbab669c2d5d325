"""`cnnctl summary`: what a network is, layer by layer."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

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
    columns: Annotated[
        str,
        typer.Option(
            help="Columns of the table, separated by commas: kernel, input, output, parameters, "
            "trainable, multiply-adds, share, field, stride, memory, weights, init, dtype; or all.",
            metavar="NAMES",
        ),
    ] = "",
    compare: Annotated[
        Path | None,
        typer.Option(help="Another SOURCE, to show beside the first.", metavar="OTHER"),
    ] = None,
    style: Annotated[Style, typer.Option(help="Our own table, or torchsummary's.")] = Style.TABLE,
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    graph: Annotated[
        Path | None,
        typer.Option(
            help="Draw the network to a .svg, .pdf, .png, .dot or .mmd file.", metavar="FILE"
        ),
    ] = None,
    plugin: Plugins = None,
) -> None:
    """Show every layer's shape, parameters and cost."""
    import json

    from rich.console import Console

    from cnnctl import inspection
    from cnnctl.inspection.report import report_on
    from cnnctl.opening import open_experiment

    _refuse_what_does_not_go_together(style, columns, compare, as_json=as_json, markdown=markdown)
    loaded = open_experiment(source, overrides or (), plugin or ())
    if style is Style.TORCHSUMMARY:
        text = inspection.torchsummary_text(loaded.plan, batch_size=batch_size or -1)
        typer.echo(text, nl=False)
        return
    report = report_on(loaded, batch_size=batch_size)
    if compare is not None:
        other = report_on(open_experiment(compare, (), plugin or ()), batch_size=batch_size)
        names = (source.name or str(source), compare.name or str(compare))
        if as_json:
            shown: Any = json.dumps(inspection.comparison_to_json(report, other), indent=1)
        elif markdown:
            shown = inspection.comparison_to_markdown(report, other, names=names, depth=depth)
        else:
            shown = inspection.render_comparison(report, other, names=names, depth=depth)
    elif as_json:
        shown = json.dumps(inspection.to_json(report), indent=1)
    elif markdown:
        shown = inspection.to_markdown(report, depth=depth, columns=columns)
    else:
        shown = inspection.render(report, depth=depth, columns=columns)
    if graph is not None:
        inspection.draw(loaded.plan, graph, depth=depth)
    if isinstance(shown, str):
        typer.echo(shown)
    else:
        Console().print(shown)


def _refuse_what_does_not_go_together(
    style: Style, columns: str, compare: Path | None, *, as_json: bool, markdown: bool
) -> None:
    if style is Style.TORCHSUMMARY and (as_json or markdown or columns or compare):
        message, cure = "torchsummary prints its own text only", "leave out --style, or the others"
    elif columns and as_json:
        message, cure = "--json has all columns", "leave out --columns"
    elif columns and compare:
        message, cure = "--compare has columns of its own", "leave out --columns"
    elif as_json and markdown:
        message, cure = "--json and --markdown are two forms", "keep one of them"
    else:
        return
    raise FaultError(Fault(message=message, cure=cure))
