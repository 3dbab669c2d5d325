"""What a chart shows, however it is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

Point = tuple[float, float]

PALETTE = ("#1f83c9", "#d9601a", "#0f9b76", "#b85fa3", "#b8860b", "#6f6fe0", "#cf4457", "#808080")
"""Colours that are legible on white and on black, and distinct to colour-blind readers
(after Okabe and Ito 2008)."""


@dataclass(frozen=True, slots=True)
class Series:
    """A named line, or points."""

    name: str
    points: Sequence[Point]
    """The x and y of each point; a y that is not finite interrupts the line."""
    style: Literal["solid", "dashed", "points"] = "solid"
    colour: int | None = None
    """Position in the palette; None for the position of the series in the chart."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A named line across the chart, at an x or a y."""

    name: str
    """Its entry in the legend; empty for none."""
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """Series over a common x axis."""

    title: str
    x: str
    """Label of the x axis."""
    y: str
    """Label of the y axis."""
    series: Sequence[Series]
    marks: Sequence[Mark] = ()
    has_log_x: bool = False
    has_log_y: bool = False
    """Logarithmic axes; values that are not positive are left out."""

    def is_shown(self, point: Point) -> bool:
        """Whether a point is finite, and positive on a logarithmic axis."""
        x, y = point
        if not (isfinite(x) and isfinite(y)):
            return False
        return (x > 0 or not self.has_log_x) and (y > 0 or not self.has_log_y)

    def shown(self) -> Iterator[Point]:
        """The points of all series that are shown."""
        return (point for each in self.series for point in each.points if self.is_shown(point))

    @property
    def has_whole_x(self) -> bool:
        """Whether every x is a whole number, as those of epochs are."""
        return all(float(x).is_integer() for x, _ in self.shown())

    def parts(self, series: Series) -> Iterator[list[Point]]:
        """The unbroken parts of a line."""
        part: list[Point] = []
        for point in series.points:
            if self.is_shown(point):
                part.append(point)
            elif part:
                yield part
                part = []
        if part:
            yield part


def colour_of(chart: Chart, position: int) -> str:
    """The colour of the series at this position, as `#rrggbb`."""
    own = chart.series[position].colour
    return PALETTE[(position if own is None else own) % len(PALETTE)]
