"""Charts of what watched runs have recorded of their layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnctl.errors import FaultError
from cnnctl.plotting.layers import MOST, layer_charts, read_watched, spaced
from cnnctl.run_files import LayerRecord

RECORDS = [
    LayerRecord(1, 1, {"conv1": {"gradient": 0.5, "update": 0.01}, "relu1": {"dead": 0.25}}),
    LayerRecord(50, 2, {"conv1": {"gradient": float("inf")}, "relu1": {"dead": 0.5}}),
]


def run(folder: Path, records: list[LayerRecord] = RECORDS) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("train: {watch: true}\n")
    (folder / "watch.jsonl").write_bytes(b"".join(record.line() for record in records))
    return folder


def test_gradients_and_updates_are_drawn_by_layer_and_step(tmp_path: Path) -> None:
    gradient, update = layer_charts(read_watched([run(tmp_path / "a")]))
    assert gradient.title == "Gradient, root mean square"
    assert (gradient.has_log_y, gradient.x) == (True, "step")
    assert [(line.name, line.points) for line in gradient.series] == [
        ("conv1", [(1, 0.5), (50, float("inf"))])
    ]
    assert update.series[0].points == [(1, 0.01)]


def test_shares_are_drawn_in_percent_for_the_layers_that_have_them(tmp_path: Path) -> None:
    [dead] = layer_charts(read_watched([run(tmp_path / "a")]), ["dead"])
    assert dead.y == "%"
    assert [(line.name, line.points) for line in dead.series] == [("relu1", [(1, 25), (50, 50)])]


def test_several_runs_have_a_chart_each(tmp_path: Path) -> None:
    other = [LayerRecord(1, 1, {"linear1": {"gradient": 0.5}})]
    charts = layer_charts(read_watched([run(tmp_path / "a"), run(tmp_path / "b", other)]))
    assert [chart.title.rpartition(": ")[2] for chart in charts] == ["a", "b", "a"]


def test_of_many_layers_some_are_drawn_and_the_title_says_so(tmp_path: Path) -> None:
    layers = {f"linear{number}": {"gradient": 1.0} for number in range(1, 31)}
    [chart] = layer_charts(read_watched([run(tmp_path / "a", [LayerRecord(1, 1, layers)])]))
    names = [line.name for line in chart.series]
    assert len(names) == MOST
    assert (names[0], names[-1]) == ("linear1", "linear30")
    assert chart.title.endswith(f"({MOST} of 30 layers)")
    assert spaced(list(layers), 40) == list(layers)


def test_a_figure_that_no_layer_has_is_a_fault_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="did you mean update"):
        layer_charts(read_watched([run(tmp_path / "a")]), ["updat"])


def test_a_run_that_was_not_watched_is_a_fault_with_the_option(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match=r"train it with train\.watch=true"):
        read_watched([run(tmp_path / "a", [])])
