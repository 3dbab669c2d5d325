"""`cnnctl plot`: draw the metrics of runs, and what a network has learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from cnnctl import completion
from cnnctl.commands import AsJson, command, display, print_json, say

if TYPE_CHECKING:
    from cnnctl.charts import Chart


@command("plot")
def plot(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Run folders.",
            metavar="SOURCE...",
            show_default=False,
            autocompletion=completion.run,
        ),
    ],
    metric: Annotated[
        str,
        typer.Option(
            help="Comma-separated metrics (default: loss, the monitored one, and lr).",
            metavar="NAMES",
            show_default=False,
        ),
    ] = "",
    log: Annotated[bool, typer.Option("--log", help="Draw values on a logarithmic axis.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Draw to a .png or .svg file instead of the terminal.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="Plot what train.watch recorded of the layers, such as gradient, dead."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Plot the metrics of runs by epoch."""
    from cnnctl.charts import check_output

    if output is not None:
        check_output(output)
    names = [name.strip() for name in metric.split(",") if name.strip()]
    plotted = _layers(sources, names) if watch else _curves(sources, names, has_log_y=log)
    if as_json:
        print_json(plotted.facts)
    _show(plotted.charts, output, is_printed=not as_json)


class _Plotted(NamedTuple):
    facts: list[dict[str, Any]]
    charts: list[Chart]


def _curves(sources: Sequence[Path], metrics: Sequence[str], *, has_log_y: bool) -> _Plotted:
    from cnnctl.plotting.curves import charts_of, read_runs

    runs = read_runs(sources)
    charts = charts_of(runs, metrics, has_log_y=has_log_y)
    return _Plotted([run.to_json() for run in runs], charts)


def _layers(sources: Sequence[Path], figures: Sequence[str]) -> _Plotted:
    from cnnctl.plotting.layers import layer_charts, read_watched

    runs = read_watched(sources)
    charts = layer_charts(runs, figures)
    return _Plotted([run.to_json() for run in runs], charts)


def _show(charts: Sequence[Chart], output: Path | None, *, is_printed: bool) -> None:
    """Draw to a file, or else to the terminal."""
    from cnnctl.charts import TerminalChart, write

    if output is not None:
        write(charts, output)
        if is_printed:
            say(str(output))
    elif is_printed:
        for number, chart in enumerate(charts):
            if number:
                say("")
            display(TerminalChart(chart))
