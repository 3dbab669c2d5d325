"""A landscape at each of a run's snapshots: evaluated, and laid out for a page with a slider."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from cnnctl.charts.chart import PALETTE
from cnnctl.charts.scale import Scale, labels
from cnnctl.checkpoint import load, load_weights
from cnnctl.errors import checkpoint_fault
from cnnctl.metrics.naming import label_of, parted, show_metric
from cnnctl.plotting.colours import Colour, class_colours, code, on_scale, pixels, sample_colours
from cnnctl.plotting.landscape import Axis, Landscape
from cnnctl.plotting.learned import View
from cnnctl.plotting.lines import RUG
from cnnctl.run_files import EpochMetrics
from cnnctl.snapshots import snapshots_of

MOST_FRAMES, MOST_SAMPLES = 200, 600
RESOLUTION = 120
"""Points of a plane in each direction; browsers smooth the picture."""
WIDTH, LOWEST, HIGHEST = 560, 280, 560
"""Size of the drawing, in pixels of CSS."""
COLOURS = 64
"""Of a picture, which makes it a third as large."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What the network computed after an epoch."""

    epoch: int
    landscape: Landscape


def chosen_snapshots(run: Path) -> dict[int, Path]:
    """The snapshots of a run by epoch; of many, some at equal distances, the last included.

    Raises:
        FaultError: there are none (exit code 4).
    """
    found = list(snapshots_of(run).items())
    if not found:
        hint = "train with train.snapshots=1, which keeps the weights of every epoch"
        raise checkpoint_fault("has no snapshots to draw", hint=hint, place=str(run))
    stride = ceil(len(found) / MOST_FRAMES)
    return dict(reversed(found[::-1][::stride]))


def use_weights(view: View, snapshot: Path) -> None:
    """Give the network the weights of a snapshot.

    Raises:
        FaultError: it is damaged, or of another network.
    """
    load_weights(view.subject.trained.network, load(snapshot).weights)


def frames_of(
    view: View, snapshots: Mapping[int, Path], *, done: Callable[[int], object]
) -> list[Frame]:
    """The landscape at each snapshot, all with the same axes; `done` is told of each."""
    axes = view.axes()
    for snapshot in snapshots.values() if view.moves else ():
        use_weights(view, snapshot)
        axes = tuple(one.joined(other) for one, other in zip(axes, view.axes(), strict=True))
    frames = []
    for epoch, snapshot in snapshots.items():
        use_weights(view, snapshot)
        resolution = None if len(axes) == 1 else RESOLUTION
        frames.append(Frame(epoch, view.landscape(axes, resolution=resolution, epoch=epoch)))
        done(1)
    return frames


@dataclass(frozen=True, slots=True)
class Layout:
    """Where values are in the drawing, in pixels from the upper left."""

    x: Scale
    y: Scale
    height: int

    @classmethod
    def of(cls, across: Axis, up: Axis) -> Layout:
        """A drawing in which both axes have one scale, unless that makes it too high or flat."""
        ratio = (up.high - up.low) / (across.high - across.low)
        height = min(HIGHEST, max(LOWEST, round(WIDTH * ratio)))
        return cls(Scale(across.low, across.high), Scale(up.low, up.high), height)

    def place(self, point: Sequence[float]) -> tuple[float, float]:
        """The pixel of a point."""
        x, y = point
        return round(WIDTH * self.x.place(x), 1), round(self.height * (1 - self.y.place(y)), 1)

    def path(self, points: Sequence[Sequence[float]]) -> str:
        """A line through points, as the `d` of an SVG path; what is not finite interrupts it."""
        words, pen = list[str](), "M"
        for point in points:
            if abs(point[1]) < float("inf"):
                x, y = self.place(point)
                words.append(f"{pen}{x:g} {y:g}")
                pen = "L"
            else:
                pen = "M"
        return "".join(words)

    def ticks(self) -> dict[str, list[dict[str, Any]]]:
        """The places and numbers of both axes."""
        across, up = self.x.ticks(most=8), self.y.ticks(most=7)
        return {
            "x": [
                {"at": self.place((x, self.y.low))[0], "label": label}
                for x, label in zip(across, labels(across), strict=True)
            ],
            "y": [
                {"at": self.place((self.x.low, y))[1], "label": label}
                for y, label in zip(up, labels(up), strict=True)
            ],
        }


def page_of(frames: Sequence[Frame], metrics: Sequence[EpochMetrics]) -> dict[str, Any]:
    """What the template shows."""
    first, *_ = (frame.landscape for frame in frames)
    lows, highs = zip(*(frame.landscape.range for frame in frames), strict=True)
    span = min(lows), max(highs)
    across, up = (*first.axes, _vertical(first, span))[:2]
    layout = Layout.of(across, up)
    if first.is_line:
        layout = replace(layout, height=LOWEST)
    rows = {row["epoch"]: row for row in metrics}
    shown = [_frame(frame, layout, span, rows.get(frame.epoch, {})) for frame in frames]
    return {
        "title": frames[-1].landscape.title.partition(",")[0],
        "width": WIDTH,
        "height": layout.height,
        "ticks": layout.ticks(),
        "x_label": across.name,
        "y_label": up.name,
        "samples": _samples(first, layout, span),
        "legend": _legend(first),
        "scale": [] if first.classes or first.is_line else _scale(span),
        "quantity": first.quantity,
        "remarks": first.remarks[1:],
        "frames": shown,
        "is_line": first.is_line,
    }


def _vertical(landscape: Landscape, span: tuple[float, float]) -> Axis:
    """The vertical axis of a line: its quantity."""
    if landscape.classes:
        below = RUG * (len(landscape.classes) + 1) if len(landscape.classes) > 2 else 0.0
        return Axis("probability", -0.05 - below, 1.05)
    around = 0.05 * (span[1] - span[0])
    return Axis(landscape.quantity, span[0] - around, span[1] + around)


def _samples(
    landscape: Landscape, layout: Layout, span: tuple[float, float]
) -> list[dict[str, Any]]:
    colours = sample_colours(landscape, span=span)
    if landscape.is_line and not landscape.classes:
        colours = [class_colours(2)[1]] * len(colours)
    places = map(layout.place, _points(landscape))
    return [
        {"x": x, "y": y, "colour": code(colour), "name": name}
        for (x, y), colour, name in zip(places, colours, landscape.samples.names, strict=True)
    ]


def _points(landscape: Landscape) -> list[list[float]]:
    """The places of samples; on a line, their heights are their targets."""
    places = landscape.samples.places.tolist()
    if not landscape.is_line:
        return [list(place) for place in places]
    targets = landscape.samples.targets.tolist()
    if len(landscape.classes) > 2:
        targets = [-RUG * (target + 1) for target in targets]
    return [[place[0], target] for place, target in zip(places, targets, strict=True)]


def _frame(
    frame: Frame, layout: Layout, span: tuple[float, float], row: EpochMetrics
) -> dict[str, Any]:
    landscape = frame.landscape
    shown = landscape.samples
    is_wrong = (shown.answers != shown.targets).tolist() if landscape.classes else []
    return {
        "epoch": frame.epoch,
        "caption": ", ".join([*_figures(row), *landscape.remarks[:1]]),
        "picture": _picture(landscape, span),
        "places": [layout.place(point) for point in _points(landscape)],
        "grid": "".join(layout.path(line.tolist()) for line in landscape.grid),
        "curves": list(_curves(landscape, layout)),
        "wrong": [number for number, wrong in enumerate(is_wrong) if wrong],
    }


def _figures(row: EpochMetrics) -> Iterator[str]:
    """Losses and accuracies of the epoch."""
    for key, value in row.items():
        split, _, name = key.partition("_")
        if split in ("train", "val") and parted(name)[1] is not None:
            called = "training" if split == "train" else "validation"
            yield f"{called} {label_of(name)} {show_metric(name, value)}"


def _picture(landscape: Landscape, span: tuple[float, float]) -> str:
    """The colours of the plane, as the URL of a PNG; empty if there are none."""
    if landscape.is_line or landscape.answers is None:
        return ""
    image = Image.fromarray(pixels(landscape, span=span).flip(0).numpy())
    content = BytesIO()
    image.quantize(COLOURS).save(content, format="PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"


def _curves(landscape: Landscape, layout: Layout) -> Iterator[dict[str, str]]:
    """The lines of a network with one input."""
    if not landscape.is_line or landscape.answers is None:
        return
    ticks = landscape.axes[0].values(len(landscape.answers)).tolist()
    first = 1 if len(landscape.classes) == 2 else 0
    for number in range(first, landscape.answers.shape[1]):
        values: Tensor = landscape.answers[:, number]
        path = layout.path(list(zip(ticks, values.tolist(), strict=True)))
        yield {"path": path, "colour": PALETTE[number % len(PALETTE)]}


def _legend(landscape: Landscape) -> list[dict[str, str]]:
    colours = class_colours(len(landscape.classes))
    named: list[tuple[str, Colour]] = list(zip(landscape.classes, colours, strict=True))
    return [{"name": name, "colour": code(colour)} for name, colour in named]


def _scale(span: tuple[float, float]) -> list[dict[str, str]]:
    """Colours of the quantity, with numbers at both ends."""
    colours = on_scale(torch.linspace(*span, 9), span).tolist()
    names = [f"{span[0]:.4g}", *[""] * 7, f"{span[1]:.4g}"]
    return [
        {"name": name, "colour": code((red, green, blue))}
        for name, (red, green, blue) in zip(names, colours, strict=True)
    ]
