import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import RenderableType
from torch import nn

from cnnctl.console import Screen
from cnnctl.inspection import Report, TrainingMemory, gather, render, to_json, to_markdown
from cnnctl.inspection.tables import totals
from cnnctl.model.network import NetworkPlan
from tests.examples import published

Architecture = Callable[..., NetworkPlan]


def printed(renderable: RenderableType) -> str:
    text = StringIO()
    Screen(file=text, width=80).print(renderable)
    return text.getvalue()


def column(text: str, heading: str) -> list[int]:
    """The numbers below a heading of a Markdown table."""
    table = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    at = table[0].index(heading)
    return [int(row[at].replace(",", "").replace("-", "0")) for row in table[2:]]


def total(text: str, word: str) -> int:
    """The number in front of a word, below the table."""
    (line,) = [line for line in text.splitlines() if f" {word}" in line and "|" not in line]
    before = line.split(f" {word}")[0].split()[-1]
    return int(before.replace(",", ""))


@pytest.mark.parametrize("word", ["parameters", "multiply-adds"])
def test_the_printed_column_adds_up_to_the_printed_total(lenet: NetworkPlan, word: str) -> None:
    text = to_markdown(Report(gather(lenet, batch_size=64)))
    assert sum(column(text, word)) == total(text, word) > 0


def test_the_table_has_the_numbers_of_the_markdown(lenet: NetworkPlan) -> None:
    summary = gather(lenet, batch_size=64)
    lines = printed(render(Report(summary))).splitlines()
    rows = [line.split() for line in lines if line.startswith(("conv", "linear", "tanh"))]
    markdown = [line.strip("| ").split(" | ") for line in to_markdown(Report(summary)).splitlines()]
    wanted = [
        " ".join(row).split() for row in markdown if row[0].startswith(("conv", "lin", "tan"))
    ]
    assert rows == wanted
    assert lines[-5:-2] == [
        "61,706 parameters, all trainable",
        "416,520 multiply-adds per sample",
        "246.8 kB for weights",
    ]


def test_lenet_fits_80_columns_and_its_numbers_stand_flush_right(lenet: NetworkPlan) -> None:
    lines = printed(render(Report(gather(lenet, batch_size=64)))).splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    ends = [line.index(n) + len(n) for line, n in zip(lines[3:], ["156", "-"], strict=False)]
    assert len(set(ends)) == 1


def test_a_name_that_hides_its_kind_shows_both(architecture: Architecture) -> None:
    plan = architecture({"linear": {"out_features": 3, "name": "stem"}}, input=(2,))
    assert "stem (linear)" in printed(render(Report(gather(plan, batch_size=1))))


def test_frozen_parameters_get_a_column(
    architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = architecture({"linear": 3}, input=(8,))
    frozen = nn.Linear(8, 3, device="meta").requires_grad_(False)
    assert "| trainable |" not in to_markdown(Report(gather(plan, batch_size=1)))
    monkeypatch.setattr(type(plan.layers[0].layer), "build", lambda *_: frozen)
    text = to_markdown(Report(gather(plan, batch_size=1)))
    assert column(text, "trainable") == [0]
    assert "27 parameters, 0 trainable" in text


def test_sides_that_differ_are_both_shown(architecture: Architecture) -> None:
    plan = architecture({"conv": {"out_channels": 1, "kernel_size": [5, 3]}}, input=(1, 9, 9))
    assert "| 5x3 | 1 |" in to_markdown(Report(gather(plan, batch_size=1)))


def test_json_holds_every_fact_as_plain_data(lenet: NetworkPlan) -> None:
    data = to_json(Report(gather(lenet, batch_size=64)))
    assert json.loads(json.dumps(data)) == data
    assert data["input"] == [1, 32, 32]
    assert data["parameters"] == 61_706
    assert data["layers"][2] == {
        "name": "avg_pool1",
        "kind": "avg_pool",
        "block": None,
        "depth": 0,
        "is_block": False,
        "kernel": [2, 2],
        "input": [6, 28, 28],
        "output": [6, 14, 14],
        "parameters": 0,
        "trainable": 0,
        "multiply_adds": None,
        "is_counted": True,
        "receptive_field": [6, 6],
        "receptive_field_start": [0, 0],
        "stride": [2, 2],
        "weight_bytes": 0,
        "activation_bytes": 64 * 6 * 14 * 14 * 4,
        "init": None,
        "dtype": "float32",
    }
    assert data["layers"][-1]["receptive_field"] is None


def test_columns_that_find_no_room_stand_below_with_the_names_again(lenet: NetworkPlan) -> None:
    report = Report(gather(lenet, batch_size=64))
    lines = printed(render(report, columns="all")).splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines if line.startswith("linear1 ")]
    wanted = ["-", "400", "120", "48,120", "48,120", "48,000", "78.0%", "11.5%", "-", "-"]
    assert [cell for _, *cells in rows for cell in cells][:10] == wanted  # 48,000 of 416,520
    assert len(rows) == sum(line.startswith("layer ") for line in lines) > 1


@pytest.mark.parametrize("name", ["vgg16", "resnet50", "googlenet"])
def test_the_usual_columns_of_a_published_network_stand_in_one_table(name: str) -> None:
    plan = published(name).plan
    lines = printed(render(Report(gather(plan, batch_size=64)))).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("layer ") for line in lines) == 1


def test_many_layers_that_are_not_counted_are_a_number(lenet: NetworkPlan) -> None:
    summary = gather(lenet, batch_size=1)
    rows = tuple(replace(row, is_counted=False) for row in summary.rows)
    lines = totals(Report(replace(summary, rows=rows)))
    assert lines[1].endswith("per sample, without 12 uncounted layers")


def test_training_memory_stands_beside_what_the_device_has(lenet: NetworkPlan) -> None:
    memory = TrainingMemory(weights=1000, gradients=2000, optimizer_state=3000, activations=4000)
    report = Report(gather(lenet, batch_size=64), memory, ("the CPU", 16_000_000))
    assert totals(report)[2:4] == [
        "training at batch size 64: 10.0 kB of 16.0 MB on the CPU",
        "  weights 1.0 kB, gradients 2.0 kB, optimizer 3.0 kB, activations 4.0 kB",
    ]
    data = to_json(report)
    assert data["training_memory"]["total"] == 10_000
    assert data["device_memory"] == {"device": "the CPU", "bytes": 16_000_000}


def test_a_small_field_is_noted(lenet: NetworkPlan) -> None:
    note = "the last convolution, conv2, sees only 14x14 of 32x32 pixels"
    assert note in totals(Report(gather(lenet, batch_size=1)))[-1]


def test_work_in_training_only_is_marked(architecture: Architecture) -> None:
    aside = {"auxiliary": ["global_avg_pool", {"linear": 3}]}
    plan = architecture({"conv": 4}, aside, "flatten", {"linear": 2}, input=(1, 4, 4))
    # 4 * 9 * 2 * 2 in the convolution, 4 * 3 beside it, 16 * 2 behind it
    wanted = "188 multiply-adds per sample, 12 of them in training only"
    assert wanted in totals(Report(gather(plan, batch_size=1)))


def test_a_name_stays_whole_where_columns_can_stand_closer() -> None:
    plan = published("resnet18").plan
    text = printed(render(Report(gather(plan, batch_size=64)), depth=2))
    assert "  shortcut.batch_norm1  128x28x28" in text
    assert max(map(len, text.splitlines())) <= 80
