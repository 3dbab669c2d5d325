"""The colours of classes and of quantities."""

from __future__ import annotations

from colorsys import hsv_to_rgb

import torch
from torch import Tensor

from cnnctl.charts.chart import PALETTE
from cnnctl.plotting.landscape import Landscape

Colour = tuple[int, int, int]

MORE = ("#7a4b2a", "#94a80c", "#2ab5b5", "#38478c", "#e58cb6", "#111111")
"""Further colours of classes, which are distinct from those of charts and from one another."""
GOLDEN = 0.618034
"""Hues that are this part of the circle apart differ, however many there are."""
FAINTEST, STRONGEST = 0.12, 0.62
"""How much of its colour a region has where the classes tie, and where one is certain."""
SCALE = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30",
         "#fde725")  # fmt: skip
"""Viridis, by Nathaniel Smith and Stéfan van der Walt (2015): even steps look even."""


def class_colours(count: int) -> list[Colour]:
    """A colour for each class."""
    known = [rgb(colour) for colour in (*PALETTE, *MORE)]
    more = (
        hsv_to_rgb(n * GOLDEN % 1, 0.55 + 0.3 * (n % 2), 0.75 - 0.15 * (n % 3))
        for n in range(count - len(known))
    )
    made = [(round(255 * red), round(255 * green), round(255 * blue)) for red, green, blue in more]
    return [*known, *made][:count]


def rgb(colour: str) -> Colour:
    """`#rrggbb` as three numbers."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def code(colour: Colour) -> str:
    """Three numbers as `#rrggbb`."""
    return "#" + bytes(colour).hex()


def pixels(landscape: Landscape, *, span: tuple[float, float] | None = None) -> Tensor:
    """The colours of a plane, (rows, columns, 3) uint8, from the bottom.

    Classes fade where they are uncertain; quantities are on a scale from low to high, by default
    the range of the landscape.
    """
    assert landscape.answers is not None
    if landscape.classes:
        return _regions(landscape.answers)
    return on_scale(landscape.answers[..., 0], span or landscape.range)


def _regions(probabilities: Tensor) -> Tensor:
    classes = probabilities.shape[-1]
    best = probabilities.max(dim=-1)
    certainty = ((best.values - 1 / classes) / (1 - 1 / classes)).clamp(0, 1).nan_to_num()
    strength = (FAINTEST + (STRONGEST - FAINTEST) * certainty)[..., None]
    colours = torch.tensor(class_colours(classes), dtype=torch.float32)[best.indices]
    return (255 + strength * (colours - 255)).round().byte()


def on_scale(values: Tensor, span: tuple[float, float]) -> Tensor:
    """The colours of values of any shape, (…, 3) uint8."""
    low, high = span
    stops = torch.tensor([rgb(colour) for colour in SCALE], dtype=torch.float32)
    place = ((values - low) / (high - low)).clamp(0, 1).nan_to_num() * (len(SCALE) - 1)
    below = place.floor().clamp(max=len(SCALE) - 2).long()
    share = (place - below)[..., None]
    return (stops[below] + share * (stops[below + 1] - stops[below])).round().byte()


def sample_colours(
    landscape: Landscape, *, span: tuple[float, float] | None = None
) -> list[Colour]:
    """The colour of each sample: of its true class, or of its value."""
    targets = landscape.samples.targets
    if landscape.classes:
        colours = class_colours(len(landscape.classes))
        return [colours[int(target)] for target in targets.tolist()]
    found = on_scale(targets, span or landscape.range).tolist()
    return [(red, green, blue) for red, green, blue in found]
