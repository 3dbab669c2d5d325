"""`cnnctl plot`: draw the metrics of runs, and what a network has learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from cnnctl import completion
from cnnctl.commands import (
    AnySplit,
    AsJson,
    DataFolder,
    Device,
    Plugins,
    SplitOption,
    command,
    display,
    print_json,
    say,
)
from cnnctl.errors import config_fault
from cnnctl.paths import is_there

if TYPE_CHECKING:
    from cnnctl.charts import Chart
    from cnnctl.plotting.landscape import Landscape
    from cnnctl.plotting.learned import View, Wish


@command("plot")
def plot(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Run folders; with --learned, a run, a checkpoint or an experiment file, and "
            "options to override.",
            metavar="SOURCE...",
            show_default=False,
            autocompletion=completion.source,
        ),
    ],
    metric: Annotated[
        str,
        typer.Option(
            help="Comma-separated metrics (default: loss, the monitored one, and lr).",
            metavar="NAMES",
        ),
    ] = "",
    log: Annotated[bool, typer.Option("--log", help="Draw values on a logarithmic axis.")] = False,
    learned: Annotated[
        bool,
        typer.Option(
            "--learned",
            help="Draw what the network computes, and samples: decision regions, a curve or a "
            "surface. The options below imply it.",
        ),
    ] = False,
    layer: Annotated[
        str,
        typer.Option(
            help="Draw in the space of this layer's outputs: its two, or principal components.",
            metavar="NAME",
        ),
    ] = "",
    features: Annotated[
        str,
        typer.Option(
            help="Two features to draw, by name or number; others are at their medians.",
            metavar="A,B",
        ),
    ] = "",
    plane: Annotated[
        str,
        typer.Option(help="Draw the plane through three samples.", metavar="N,N,N"),
    ] = "",
    head: Annotated[str, typer.Option(help="Head to draw.", metavar="NAME")] = "",
    answer: Annotated[
        str, typer.Option(help="Class, label or value to draw as a surface.", metavar="NAME")
    ] = "",
    margin: Annotated[
        float | None,
        typer.Option(
            help="Part of the samples' range to draw beyond them (default: 0.15, a curve 0.5).",
            min=0,
            max=1000,
            show_default=False,
        ),
    ] = None,
    split: AnySplit = None,
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
    frames: Annotated[
        bool,
        typer.Option(
            "--frames",
            help="Write one HTML page with a slider over the run's snapshots (see "
            "train.snapshots), by default NAME-frames.html.",
        ),
    ] = False,
    device: Device = "auto",
    data: DataFolder = None,
    plugin: Plugins = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="Plot what train.watch recorded of the layers, such as gradient, dead."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Plot the metrics of runs by epoch, or what a network has learned."""
    from cnnctl.charts import check_output

    if frames:
        wish = _wish(layer, features, plane, head, answer, margin, split)
        _write_frames(sources, wish, output, device=device, plugins=plugin or (), data=data)
        return
    if output is not None:
        check_output(output)
    if learned or layer or features or plane or head or answer:
        wish = _wish(layer, features, plane, head, answer, margin, split)
        view = _view(sources, wish, device=device, plugins=plugin or (), data=data)
        _show_landscape(view, output, as_json=as_json)
        return
    names, runs = _words(metric), [Path(source) for source in sources]
    plotted = _layers(runs, names) if watch else _curves(runs, names, has_log_y=log)
    if as_json:
        print_json(plotted.facts)
    _show_charts(plotted.charts, output, is_printed=not as_json)


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


def _wish(
    layer: str,
    features: str,
    plane: str,
    head: str,
    answer: str,
    margin: float | None,
    split: SplitOption | None,
) -> Wish:
    from cnnctl.plotting.learned import Wish

    return Wish(
        split=split.value if split else None,
        layer=layer,
        features=_words(features),
        plane=_positions(plane),
        head=head,
        output=answer,
        margin=margin,
    )


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _positions(text: str) -> list[int]:
    words = _words(text)
    if text and not (len(words) == 3 and all(word.isdecimal() for word in words)):
        message = f"--plane takes the numbers of three samples, not {text}"
        raise config_fault(message, hint="such as --plane 3,17,40")
    return [int(word) for word in words]


def _view(
    words: Sequence[str], wish: Wish, *, device: str, plugins: Sequence[Path], data: Path | None
) -> View:
    """What to draw of the one network among these words; the others are overrides."""
    from cnnctl.plotting.learned import view_of
    from cnnctl.subject import open_subject

    named = [word for word in words if "=" not in word or is_there(Path(word))]
    if len(named) != 1:
        message = f"--learned draws one network, not {len(named)}"
        raise config_fault(message, hint="give one run, checkpoint or experiment file")
    overrides = [word for word in words if word not in named]
    subject = open_subject(
        Path(named[0]), overrides, device=device, plugins=plugins, data_root=data
    )
    return view_of(subject, wish)


def _show_charts(charts: Sequence[Chart], output: Path | None, *, is_printed: bool) -> None:
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


def _write_frames(
    words: Sequence[str],
    wish: Wish,
    output: Path | None,
    *,
    device: str,
    plugins: Sequence[Path],
    data: Path | None,
) -> None:
    """Write a page of what the network of a run computed at each snapshot."""
    from dataclasses import replace

    from cnnctl.console import advancing
    from cnnctl.plotting.frames import MOST_SAMPLES, chosen_snapshots, frames_of, page_of
    from cnnctl.plotting.page import check_page, write_page
    from cnnctl.run_files import read_metrics

    run = Path(words[0])
    path = output or Path(f"{run.resolve().name}-frames.html")
    check_page(path)
    snapshots = chosen_snapshots(run)
    last = str(list(snapshots.values())[-1])
    wish = replace(wish, samples=MOST_SAMPLES)
    view = _view([last, *words[1:]], wish, device=device, plugins=plugins, data=data)
    with advancing(len(snapshots), "drawing") as done:
        frames = frames_of(view, snapshots, done=done)
    write_page(page_of(frames, read_metrics(run).rows), path)
    say(f"{path}\n{len(frames):,} frames, epochs {frames[0].epoch} to {frames[-1].epoch}")


COARSE = 80
"""Points in each direction for a terminal, and as JSON."""


def _show_landscape(view: View, output: Path | None, *, as_json: bool) -> None:
    from cnnctl.charts import TerminalChart
    from cnnctl.plotting.lines import chart_of
    from cnnctl.plotting.picture import write
    from cnnctl.plotting.text import LandscapeText

    landscape: Landscape = view.landscape(resolution=None if output else COARSE)
    if output is not None:
        write(landscape, output)
    if as_json:
        print_json(landscape.to_json())
    elif output is not None:
        say("\n".join([str(output), *landscape.remarks]))
    elif landscape.is_line:
        display(TerminalChart(chart_of(landscape)))
    else:
        display(LandscapeText(landscape))
