"""`cnnctl summary`: describe a network layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl import completion
from cnnctl.commands import (
    AsJson,
    DataFolder,
    Overrides,
    Plugins,
    Source,
    command,
    display,
    print_json,
    say,
    split_words,
)
from cnnctl.errors import Fault, FaultError

if TYPE_CHECKING:
    from cnnctl.inspection import Report


class Style(StrEnum):
    """The style of a summary."""

    TABLE = "table"
    TORCHSUMMARY = "torchsummary"


COLUMNS = (
    *("kernel", "input", "output", "parameters", "trainable", "multiply-adds", "share"),
    *("share-multiply-adds", "field", "stride", "memory", "weights", "init", "dtype"),
)
"""The columns of `inspection`, which would take too long to import for the help."""


def _complete_columns(incomplete: str) -> completion.Candidates:
    return completion.columns((*COLUMNS, "all"), incomplete)


@command("summary")
def summary(
    source: Source,
    overrides: Overrides = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Batch size for the memory estimate.", min=1)
    ] = None,
    depth: Annotated[
        int | None, typer.Option(help="Nesting levels to show.", min=1, metavar="N")
    ] = None,
    columns: Annotated[
        str,
        typer.Option(
            help=f"Comma-separated columns, or all: {', '.join(COLUMNS)}.",
            metavar="NAMES",
            autocompletion=_complete_columns,
        ),
    ] = "",
    compare: Annotated[
        Path | None,
        typer.Option(
            help="Second SOURCE to compare with. Overrides apply to the first only.",
            metavar="OTHER",
            autocompletion=completion.source,
        ),
    ] = None,
    style: Annotated[Style, typer.Option(help="Table style.")] = Style.TABLE,
    as_json: AsJson = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table as Markdown.")
    ] = False,
    graph: Annotated[
        Path | None,
        typer.Option(
            help="Draw the network to a .svg, .pdf, .png, .dot, .gv or .mmd (Mermaid) file.",
            metavar="FILE",
        ),
    ] = None,
    plugin: Plugins = None,
    data: DataFolder = None,
) -> None:
    """Show the shape, parameters and cost of every layer."""
    from cnnctl import inspection
    from cnnctl.inspection.report import report_on
    from cnnctl.sources import open_experiment

    own = as_json or markdown or bool(columns or compare or graph or depth)
    _refuse(own and style is Style.TORCHSUMMARY, "torchsummary has a fixed format", "--style")
    _refuse(as_json and markdown, "--json and --markdown are mutually exclusive", "one of them")
    _refuse(as_json and bool(columns), "--json always includes all columns", "--columns")
    _refuse(as_json and bool(depth) and not graph, "--json always includes all levels", "--depth")
    _refuse(bool(compare and columns), "--compare has fixed columns", "--columns")
    _refuse(bool(compare and graph), "--graph draws one network", "--compare")
    source, given = _sorted_out(source, overrides or ())
    opened = partial(open_experiment, plugins=plugin or (), data_root=data)
    loaded = opened(source, given)
    if style is Style.TORCHSUMMARY:
        text = inspection.torchsummary_text(loaded.plan, batch_size=batch_size or -1)
        say(text.removesuffix("\n"))
        return
    report = report_on(loaded, batch_size=batch_size)
    if graph is not None:
        inspection.draw(loaded.plan, graph, depth=depth)
    if compare is None:
        _show(report, depth, columns, as_json=as_json, markdown=markdown)
        return
    other = report_on(opened(compare), batch_size=batch_size)
    names = _distinct_names(source, compare)
    _show_both(report, other, names, depth, as_json=as_json, markdown=markdown)


def _refuse(is_so: bool, message: str, superfluous: str) -> None:
    """Raise a fault for conflicting options; the hint is to omit one."""
    if is_so:
        raise FaultError(Fault(message=message, hint=f"omit {superfluous}"))


def _sorted_out(source: Path, overrides: Sequence[str]) -> tuple[Path, list[str]]:
    """The source and the overrides, in any order."""
    words = [str(source), *overrides]
    named, given = split_words(words, for_two="put --compare before the second")
    if named is None:
        message, hint = "no config file given", "try cnnctl summary lenet"
        raise FaultError(Fault(message=message, hint=hint))
    return Path(named), given


def _distinct_names(source: Path, other: Path) -> tuple[str, str]:
    """The names of two networks: their file names, or whole paths if those are equal."""
    names = source.name, other.name
    return names if len({*names, ""}) == 3 else (str(source), str(other))


def _show(
    report: Report, depth: int | None, columns: str, *, as_json: bool, markdown: bool
) -> None:
    from cnnctl import inspection

    if as_json:
        print_json(inspection.to_json(report))
    elif markdown:
        say(inspection.to_markdown(report, depth=depth, columns=columns))
    else:
        display(inspection.render(report, depth=depth, columns=columns))


def _show_both(
    left: Report,
    right: Report,
    names: tuple[str, str],
    depth: int | None,
    *,
    as_json: bool,
    markdown: bool,
) -> None:
    from cnnctl import inspection

    if as_json:
        print_json(inspection.comparison_to_json(left, right))
    elif markdown:
        say(inspection.comparison_to_markdown(left, right, names=names, depth=depth))
    else:
        display(inspection.render_comparison(left, right, names=names, depth=depth))
