"""What a network computes along a line, as a chart."""

from __future__ import annotations

import torch

from cnnctl.plotting.landscape import Axis, Landscape, ShownSamples
from cnnctl.plotting.lines import chart_of

AXIS = Axis("x", 0.0, 4.0)
PLACES = torch.tensor([[1.0], [3.0], [2.0]])


def test_a_fitted_curve_goes_beyond_the_range_of_the_samples() -> None:
    values = torch.tensor([0.5, 2.5, 1.0])
    answers = torch.tensor([[0.0], [1.0], [4.0]])
    samples = ShownSamples(("a", "b", "c"), PLACES, values, values)
    chart = chart_of(Landscape("fit", (AXIS,), (), "height", answers, samples))
    network, shown = chart.series
    assert network.points == [(0.0, 0.0), (2.0, 1.0), (4.0, 4.0)]
    assert shown.points == [(1.0, 0.5), (3.0, 2.5), (2.0, 1.0)]
    assert [mark.x for mark in chart.marks] == [1.0, 3.0]
    assert (chart.x, chart.y) == ("x", "height")


def test_of_two_classes_the_second_has_a_curve_and_samples_are_at_0_and_1() -> None:
    classes = torch.tensor([0, 1, 1])
    answers = torch.tensor([[0.75, 0.25], [0.5, 0.5]])
    samples = ShownSamples(("a", "b", "c"), PLACES, classes, classes)
    chart = chart_of(Landscape("", (AXIS,), ("no", "yes"), "probability", answers, samples))
    assert [(series.name, series.points) for series in chart.series] == [
        ("samples of no", [(1.0, 0.0)]),
        ("samples of yes", [(3.0, 1.0), (2.0, 1.0)]),
        ("probability of yes", [(0.0, 0.25), (4.0, 0.5)]),
    ]


def test_of_three_classes_each_has_a_curve() -> None:
    classes = torch.tensor([0, 1, 2])
    answers = torch.full((2, 3), 1 / 3)
    samples = ShownSamples(("a", "b", "c"), PLACES, classes, classes)
    chart = chart_of(Landscape("", (AXIS,), ("r", "g", "b"), "probability", answers, samples))
    assert [series.name for series in chart.series][3:] == [
        *(f"probability of {name}" for name in "rgb"),
    ]
    assert [series.points[0][1] for series in chart.series[:3]] == [-0.04, -0.08, -0.12]
