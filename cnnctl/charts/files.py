"""Charts as .png and .svg files, drawn by matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.charts.chart import Chart, Series, colour_of
from cnnctl.errors import config_fault
from cnnctl.escaping import visible
from cnnctl.extras import require
from cnnctl.storage import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")
SIZE = (7.0, 3.2)
"""Width and height of a chart, in inches."""
INK, MIDDLE, FAINT = "#2b3440", "#7a8594", "#d9dee4"
_LOOK: dict[Any, Any] = {
    "svg.hashsalt": "cnnctl",  # equal charts are equal files
    "font.size": 10.0,
    "text.color": INK,
    "axes.edgecolor": MIDDLE,
    "axes.labelcolor": INK,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.dpi": 160,
    "figure.facecolor": "white",  # also on a dark page
    "savefig.facecolor": "white",
}


def check_output(path: Path) -> None:
    """Check that a picture can be drawn to this file, before there is one.

    Raises:
        FaultError: its suffix is none of SUFFIXES, or matplotlib is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        message = f"cannot draw to {path.name}: unknown format"
        raise config_fault(message, hint=f"use a file name ending in {' or '.join(SUFFIXES)}")
    require("matplotlib", what="pictures need")


def write(charts: Sequence[Chart], path: Path) -> None:
    """Draw charts below one another to a .png or .svg file.

    Raises:
        FaultError: as for `check_output`; or the file cannot be written (exit code 6).
    """
    check_output(path)
    with drawing():
        from matplotlib.figure import Figure

        width, height = SIZE
        figure = Figure(figsize=(width, height * len(charts)), layout="constrained")
        for axes, chart in zip(
            figure.subplots(len(charts), squeeze=False)[:, 0], charts, strict=True
        ):
            draw(axes, chart)
        content = encode(figure, path.suffix.lower())
    write_atomically(path, content, option="-o")


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in one look, whatever matplotlib's own configuration says; figures are made inside."""
    import matplotlib

    with warnings.catch_warnings(), matplotlib.rc_context():
        # its font lacks some letters, which are drawn as boxes
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_LOOK)
        yield


def encode(figure: Figure, suffix: str) -> bytes:
    """The content of a .png or .svg file; equal figures give equal bytes."""
    content, form = BytesIO(), suffix.removeprefix(".")
    nothing = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
    figure.savefig(content, format=form, metadata=nothing, bbox_inches="tight", pad_inches=0.1)
    return content.getvalue()


def draw(axes: Axes, chart: Chart) -> None:
    """Draw a chart into a part of a figure."""
    from matplotlib.ticker import MaxNLocator

    if chart.has_log_x:
        axes.set_xscale("log")
    if chart.has_log_y:
        axes.set_yscale("log")
    for position, series in enumerate(chart.series):
        _draw_series(axes, chart, series, colour_of(chart, position))
    for mark in chart.marks:
        look: dict[str, Any] = {"color": MIDDLE, "linewidth": 1.0, "linestyle": ":", "zorder": 1}
        if mark.x is not None:
            axes.axvline(mark.x, label=plain(mark.name), **look)
        if mark.y is not None:
            axes.axhline(mark.y, label=plain(mark.name), **look)
    if chart.has_whole_x and not chart.has_log_x:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.margins(x=0.02)
    axes.set_title(plain(chart.title), loc="left")
    axes.set_xlabel(plain(chart.x))
    axes.set_ylabel(plain(chart.y))
    if len(chart.series) + len(chart.marks) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def plain(text: str) -> str:
    """Text as it is: no control characters, and a $ begins no formula."""
    return visible(text).replace("$", r"\$")


def _draw_series(axes: Axes, chart: Chart, series: Series, colour: str) -> None:
    label = plain(series.name)
    for part in chart.parts(series):
        x, y = zip(*part, strict=True)
        is_point = series.style == "points" or len(part) == 1
        axes.plot(
            x, y, color=colour, label=label, markersize=4.0,
            marker="o" if is_point else "",
            linestyle="" if is_point else {"solid": "-", "dashed": "--"}[series.style],
        )  # fmt: skip
        label = "_"  # parts of one line have one entry
