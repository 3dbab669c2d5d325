"""What disturbances cost, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import nan

from rich import box
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from cnnctl.charts import Chart, Series, TerminalChart
from cnnctl.config.wording import exact
from cnnctl.disturbance.measuring import Curve, Robustness
from cnnctl.escaping import visible

ENOUGH_POINTS, ROWS = 3, 10
"""Strengths from which on a curve is drawn, and its height in lines."""
FEW = 0.01
"""Share of samples without a gradient that is not worth a line."""


def render(robustness: Robustness) -> RenderableType:
    """A table for each disturbance, a row for each strength and a column for each network; below
    it the curves, where there are enough points."""
    parts: list[RenderableType] = []
    for curves in by_disturbance(robustness):
        parts += [Text(), _table(curves)]
        if len(curves[0].strengths) >= ENOUGH_POINTS:
            parts.append(TerminalChart(_chart(curves), rows=ROWS))
    return Group(*parts)


def charts(robustness: Robustness) -> list[Chart]:
    """A chart for each disturbance."""
    return [_chart(curves) for curves in by_disturbance(robustness)]


def by_disturbance(robustness: Robustness) -> Iterator[list[Curve]]:
    """The curves of each disturbance."""
    for _, curves in groupby(robustness.curves, key=lambda curve: curve.disturbance):
        yield list(curves)


def notes(robustness: Robustness) -> Iterator[str]:
    """What to know about attacks, a line for each network."""
    for network, share in robustness.without_gradient.items():
        if share >= FEW:
            yield (
                f"{network}: {share:.0%} of the samples have no gradient, so attacks leave them "
                "as they are; the network may be weaker than it looks"
            )


def names(curves: Sequence[Curve]) -> list[str]:
    """The name of each of these curves: its network, head and metric, where they differ."""
    parts = [
        [curve.network for curve in curves],
        [curve.head for curve in curves],
        [curve.number.label for curve in curves],
    ]
    differing = [part for part in parts if len(set(part)) > 1]
    shown = differing or parts[2:]
    return [" ".join(filter(None, each)) for each in zip(*shown, strict=True)]


def metric_of(curves: Sequence[Curve]) -> str:
    """The metric of all these curves, if it is one."""
    labels = {curve.number.label for curve in curves}
    return labels.pop() if len(labels) == 1 else ""


def _chart(curves: Sequence[Curve]) -> Chart:
    first = curves[0]
    series = [
        Series(name, [(x, nan if y is None else y) for x, y in curve.points])
        for name, curve in zip(names(curves), curves, strict=True)
    ]
    return Chart(first.disturbance, first.axis, metric_of(curves), series)


def _table(curves: Sequence[Curve]) -> Table:
    first = curves[0]
    columns = [Column(visible(name), justify="right") for name in names(curves)]
    table = Table(Column(first.axis, justify="right"), *columns, box=box.SIMPLE_HEAD)
    for number, strength in enumerate(first.strengths):
        table.add_row(exact(strength), *(_shown(curve, number) for curve in curves))
    return table


def _shown(curve: Curve, number: int) -> str:
    value = curve.values[number]
    return "-" if value is None else curve.number.show(value).replace("%", " %")
