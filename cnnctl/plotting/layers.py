"""What watched runs have recorded of their layers, as charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from cnnctl.charts import Chart, Series
from cnnctl.charts.chart import PALETTE
from cnnctl.errors import checkpoint_fault, config_fault, nearest
from cnnctl.plotting.curves import named_folders
from cnnctl.run_files import LayerRecord, read_watch

MOST = len(PALETTE)
"""Layers of a chart, which have a colour each; of more, some at equal distances are shown."""


@dataclass(frozen=True, slots=True)
class Figure:
    """How a figure of layers is drawn."""

    title: str
    has_log_y: bool = False
    is_share: bool = False


FIGURES = {
    "gradient": Figure("Gradient, root mean square", has_log_y=True),
    "update": Figure("Update / weight, root mean squares", has_log_y=True),
    "weight": Figure("Weight, root mean square", has_log_y=True),
    "mean": Figure("Mean of the outputs"),
    "spread": Figure("Standard deviation of the outputs", has_log_y=True),
    "dead": Figure("Dead units", is_share=True),
    "saturated": Figure("Saturated units", is_share=True),
    "zeros": Figure("Outputs that are zero", is_share=True),
}
"""The figures of a record, by their name in watch.jsonl."""
USUAL = ("gradient", "update")


@dataclass(frozen=True, slots=True)
class WatchedRun:
    """The records of a run."""

    name: str
    records: list[LayerRecord]

    def layers_with(self, figure: str) -> list[str]:
        """The layers that have a figure, in the order of the network."""
        rows = (pair for record in self.records for pair in record.layers.items())
        return list(dict.fromkeys(layer for layer, row in rows if figure in row))

    def points(self, layer: str, figure: str) -> list[tuple[float, float]]:
        """The figure of a layer at each step that was recorded."""
        rows = ((record.step, record.layers.get(layer, {})) for record in self.records)
        return [(step, row[figure]) for step, row in rows if figure in row]

    def to_json(self) -> dict[str, Any]:
        """The records as plain data; None is a figure that is not finite."""
        records = [
            {"step": record.step, "epoch": record.epoch, "layers": _plain(record)}
            for record in self.records
        ]
        return {"run": self.name, "records": records}


def _plain(record: LayerRecord) -> dict[str, dict[str, float | None]]:
    return {
        layer: {name: value if isfinite(value) else None for name, value in row.items()}
        for layer, row in record.layers.items()
    }


def read_watched(sources: Sequence[Path]) -> list[WatchedRun]:
    """The records of run folders, or of the runs that checkpoints are from.

    Raises:
        FaultError: a source is no run, or was not watched (exit code 4); or cannot be read (6).
    """
    return [_read(folder, name) for name, folder in named_folders(sources)]


def _read(folder: Path, name: str) -> WatchedRun:
    records = read_watch(folder).records
    if not records:
        hint = "train it with train.watch=true"
        raise checkpoint_fault("has no records of its layers", hint=hint, place=str(folder))
    return WatchedRun(name, records)


def layer_charts(runs: Sequence[WatchedRun], figures: Sequence[str] = ()) -> list[Chart]:
    """A chart of each figure and run, with a line for each layer; by default gradient and update.

    Raises:
        FaultError: no run has this figure.
    """
    known = [figure for figure in FIGURES if any(run.layers_with(figure) for run in runs)]
    for name in figures:
        if name not in known:
            raise config_fault(f"no layer has the figure {name}", hint=nearest(name, known))
    chosen = figures or [name for name in USUAL if name in known] or known
    return [
        _chart(run, name, is_alone=len(runs) == 1)
        for name in dict.fromkeys(chosen)
        for run in runs
        if run.layers_with(name)
    ]


def _chart(run: WatchedRun, name: str, *, is_alone: bool) -> Chart:
    figure, layers = FIGURES[name], run.layers_with(name)
    shown = spaced(layers, MOST)
    title = figure.title if is_alone else f"{figure.title}: {run.name}"
    if len(shown) < len(layers):
        title += f" ({len(shown)} of {len(layers)} layers)"
    factor = 100 if figure.is_share else 1
    series = [
        Series(layer, [(step, factor * value) for step, value in run.points(layer, name)])
        for layer in shown
    ]
    return Chart(title, "step", "%" if figure.is_share else "", series, has_log_y=figure.has_log_y)


def spaced(names: Sequence[str], count: int) -> list[str]:
    """At most this many names, the first and the last among them."""
    if len(names) <= count:
        return list(names)
    return [names[round(at * (len(names) - 1) / (count - 1))] for at in range(count)]
