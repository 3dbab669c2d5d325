"""A landscape as a .png or .svg file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cnnctl.charts import check_output
from cnnctl.charts import write as write_charts
from cnnctl.charts.files import INK, drawing, encode, plain
from cnnctl.plotting.colours import SCALE, class_colours, code, pixels, sample_colours
from cnnctl.plotting.landscape import Landscape
from cnnctl.plotting.lines import chart_of
from cnnctl.storage import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (6.4, 4.8)
"""Width and height, in inches."""
ALIKE = 4.0
"""Up to this ratio of their lengths, both axes have one scale."""
MOST_IN_LEGEND = 24
"""Classes that are named."""


def write(landscape: Landscape, path: Path) -> None:
    """Draw a plane or a line to a file.

    Raises:
        FaultError: as for `check_output`; or the file cannot be written (exit code 6).
    """
    if landscape.is_line:
        write_charts([chart_of(landscape)], path)
        return
    check_output(path)
    with drawing():
        from matplotlib.figure import Figure

        figure = Figure(figsize=SIZE, layout="compressed")
        _draw(figure, figure.subplots(), landscape)
        content = encode(figure, path.suffix.lower())
    write_atomically(path, content, option="-o")


def _draw(figure: Figure, axes: Axes, landscape: Landscape) -> None:
    across, up = landscape.axes
    axes.grid(False)
    if landscape.answers is not None:
        colours = pixels(landscape).numpy()
        extent = (across.low, across.high, up.low, up.high)
        axes.imshow(colours, extent=extent, origin="lower", aspect="auto", interpolation="bilinear")
        _draw_borders(axes, landscape, landscape.answers)
    for line in landscape.grid:
        axes.plot(*line.T.tolist(), color=INK, linewidth=0.5, alpha=0.35)
    _draw_samples(axes, landscape)
    ratio = (up.high - up.low) / (across.high - across.low)
    if 1 / ALIKE <= ratio <= ALIKE:
        axes.set_aspect("equal")
    axes.set_xlim(across.low, across.high)
    axes.set_ylim(up.low, up.high)
    axes.set_xlabel(plain(across.name))
    axes.set_ylabel(plain(up.name))
    axes.set_title(plain(landscape.title), loc="left")
    below: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
    remarks = plain("; ".join(landscape.remarks))
    axes.annotate(remarks, (0, 0), xytext=(0, -44), fontsize=8, **below)
    if landscape.classes:
        _draw_legend(axes, landscape)
    else:
        _draw_scale(figure, axes, landscape)


def _draw_borders(axes: Axes, landscape: Landscape, answers: Tensor) -> None:
    """Lines where another class becomes the likeliest, or of equal quantities."""
    ticks = [axis.values(answers.shape[0]).tolist() for axis in landscape.axes]
    if not landscape.classes:
        look: dict[str, Any] = {"colors": "white", "linewidths": 0.7, "alpha": 0.6}
        axes.contour(*ticks, answers[..., 0].numpy(), levels=8, **look)
        return
    for number in sorted({*answers.argmax(dim=-1).flatten().tolist()}):
        others = torch.cat([answers[..., :number], answers[..., number + 1 :]], dim=-1)
        lead = answers[..., number] - others.amax(dim=-1)
        if float(lead.min()) < 0 < float(lead.max()):
            axes.contour(*ticks, lead.numpy(), levels=[0], colors=INK, linewidths=0.6, alpha=0.7)


def _draw_samples(axes: Axes, landscape: Landscape) -> None:
    shown = landscape.samples
    count = len(shown.names)
    size = 60.0 if count <= 10 else min(28.0, max(6.0, 6000 / count))
    colours = [code(colour) for colour in sample_colours(landscape)]
    is_wrong = (shown.answers != shown.targets).tolist() if landscape.classes else [False] * count
    x, y = shown.places.T.tolist()
    edges = [INK if wrong else "white" for wrong in is_wrong]
    widths = [1.1 if wrong else 0.5 for wrong in is_wrong]
    axes.scatter(x, y, c=colours, s=size, edgecolors=edges, linewidths=widths, zorder=3)
    if count <= 10:
        for name, at in zip(shown.names, zip(x, y, strict=True), strict=True):
            offset: dict[str, Any] = {"xytext": (6, 4), "textcoords": "offset points"}
            axes.annotate(plain(name), at, fontsize=8, **offset)


def _draw_legend(axes: Axes, landscape: Landscape) -> None:
    from matplotlib.lines import Line2D

    dot: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 6}
    colours = class_colours(len(landscape.classes))
    entries = [
        Line2D([], [], color=code(colour), label=plain(name), **dot)
        for name, colour in zip(landscape.classes, colours, strict=True)
    ]
    if len(entries) > MOST_IN_LEGEND:
        more = f"and {len(entries) - MOST_IN_LEGEND:,} more"
        entries = [*entries[:MOST_IN_LEGEND], Line2D([], [], linestyle="", label=more)]
    if bool((landscape.samples.answers != landscape.samples.targets).any()):
        entries.append(
            Line2D([], [], color="white", markeredgecolor=INK, label="wrong answer", **dot)
        )
    columns = 1 if len(entries) <= 12 else 2
    axes.legend(handles=entries, loc="upper left", bbox_to_anchor=(1.0, 1.0), ncols=columns)


def _draw_scale(figure: Figure, axes: Axes, landscape: Landscape) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    colours = ScalarMappable(
        Normalize(*landscape.range), LinearSegmentedColormap.from_list("scale", SCALE)
    )
    figure.colorbar(colours, ax=axes, label=plain(landscape.quantity))
