"""What a network computes along a line, as a chart."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from cnnctl.charts import Chart, Mark, Series
from cnnctl.charts.chart import Point
from cnnctl.plotting.landscape import Landscape

RUG = 0.04
"""How far below 0 the samples of each class are."""


def chart_of(landscape: Landscape) -> Chart:
    """The fitted curve, or the probability of each class, with the samples and their range."""
    places = landscape.samples.places[:, 0]
    ends = [Mark("range of the samples", x=float(places.min())), Mark("", x=float(places.max()))]
    series = _regions(landscape) if landscape.classes else _curve(landscape)
    title = "; ".join([landscape.title, *landscape.remarks])
    return Chart(title, landscape.axes[0].name, landscape.quantity, list(series), ends)


def _curve(landscape: Landscape) -> Iterator[Series]:
    samples = landscape.samples
    points = zip(samples.places[:, 0].tolist(), samples.targets.tolist(), strict=True)
    if landscape.answers is not None:
        yield Series("network", _points(landscape, landscape.answers[:, 0]), colour=0)
    yield Series("samples", list(points), "points", colour=1)


def _regions(landscape: Landscape) -> Iterator[Series]:
    """Of two classes, only the second has a curve: the other is its mirror image."""
    classes, samples, answers = landscape.classes, landscape.samples, landscape.answers
    places = samples.places[:, 0]
    for number, name in enumerate(classes):
        own = places[samples.targets == number].tolist()
        at = float(number) if len(classes) == 2 else -RUG * (number + 1)
        yield Series(f"samples of {name}", [(x, at) for x in own], "points", colour=number)
    if answers is not None:
        first = 1 if len(classes) == 2 else 0
        for number in range(first, len(classes)):
            points = _points(landscape, answers[:, number])
            yield Series(f"probability of {classes[number]}", points, colour=number)


def _points(landscape: Landscape, answers: Tensor) -> list[Point]:
    ticks = landscape.axes[0].values(len(answers))
    return list(zip(ticks.tolist(), answers.tolist(), strict=True))
