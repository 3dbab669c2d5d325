"""Two networks side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO

from cnnctl.console import Screen
from cnnctl.inspection import Report, gather, render_comparison
from cnnctl.inspection.comparison import (
    compared_totals,
    comparison_to_json,
    comparison_to_markdown,
    paired,
)
from cnnctl.model.network import NetworkPlan

Architecture = Callable[..., NetworkPlan]


def reports(architecture: Architecture) -> tuple[Report, Report]:
    """A network of 8-4-3, and one with a wider layer, one more and one less."""
    first = architecture({"linear": 4}, "relu", "dropout", {"linear": 3}, input=(8,))
    second = architecture({"linear": 6}, "relu", {"linear": 6}, "tanh", {"linear": 3}, input=(8,))
    left, right = (Report(gather(plan, batch_size=2)) for plan in (first, second))
    return left, right


def test_equal_layers_stand_beside_each_other(architecture: Architecture) -> None:
    one = gather(
        architecture({"conv": 4}, "relu", "flatten", {"linear": 3}, input=(1, 8, 8)), batch_size=1
    )
    layers = [{"conv": 4}, "batch_norm", "relu", "flatten", {"linear": 3}]
    other = gather(architecture(*layers, input=(1, 8, 8)), batch_size=1)
    pairs = [
        (p.sign, p.left and p.left.name, p.right and p.right.name)
        for p in paired(one.rows, other.rows)
    ]
    assert pairs == [
        ("", "conv1", "conv1"),
        ("+", None, "batch_norm1"),
        ("", "relu1", "relu1"),
        ("", "flatten1", "flatten1"),
        ("", "linear1", "linear1"),
    ]
    back = [pair.sign for pair in paired(other.rows, one.rows)]
    assert back == ["", "-", "", "", ""]


def test_a_network_is_like_itself(lenet: NetworkPlan) -> None:
    rows = gather(lenet, batch_size=1).rows
    assert {pair.sign for pair in paired(rows, rows)} == {""}


def test_totals_have_their_ratio(architecture: Architecture) -> None:
    left, right = reports(architecture)
    totals = {name: tuple(rest) for name, *rest in compared_totals(left, right)}
    # 8*4+4 + 4*3+3 = 51, and 8*6+6 + 6*6+6 + 6*3+3 = 117
    assert totals["parameters"] == ("51", "117", "2.29x")
    assert totals["multiply-adds"] == ("44", "102", "2.32x")
    assert totals["layers"] == ("4", "5", "1.25x")
    assert totals["input"] == ("8", "8", "")
    assert totals["weight memory"] == ("204 B", "468 B", "2.29x")
    # two samples: 4 + 4 + 4 + 3 numbers, and 6 + 6 + 6 + 6 + 3, of four bytes
    assert totals["activation memory"] == ("120 B", "216 B", "1.80x")


def test_work_that_is_not_counted_has_no_ratio(architecture: Architecture) -> None:
    left, right = reports(architecture)
    rows = tuple(replace(row, is_counted=False) for row in right.summary.rows)
    unknown = Report(replace(right.summary, rows=rows))
    totals = {name: tuple(rest) for name, *rest in compared_totals(left, unknown)}
    assert totals["multiply-adds"] == ("44", "> 102", "")


def test_what_is_of_another_kind_stands_alone(architecture: Architecture) -> None:
    one, other = (
        gather(architecture({"linear": 4}, kind, {"linear": 3}, input=(8,)), batch_size=1).rows
        for kind in ("relu", "tanh")
    )
    pairs = [(p.sign, p.left and p.left.name, p.right and p.right.name) for p in paired(one, other)]
    assert pairs[1:3] == [("-", "relu1", None), ("+", None, "tanh1")]


def test_a_window_that_differs_is_shown(architecture: Architecture) -> None:
    left, right = (
        Report(gather(architecture({"max_pool": pool}, input=(1, 8, 8)), batch_size=1))
        for pool in ({"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1})
    )
    assert comparison_to_json(left, right)["layers"][0]["differs"] == ["kernel"]
    text = comparison_to_markdown(left, right, names=("a", "b"))
    assert "| ~ | max_pool1 (2) | 1x4x4 | - | max_pool1 (3) | 1x4x4 | - |" in text


def test_every_form_shows_both(architecture: Architecture) -> None:
    left, right = reports(architecture)
    markdown = comparison_to_markdown(left, right, names=("a.yaml", "b.yaml"))
    assert "| a.yaml | output | parameters | b.yaml | output | parameters |" in markdown
    assert "| ~ | linear1 | 4 | 36 | linear1 | 6 | 54 |" in markdown
    text = StringIO()
    shown = render_comparison(left, right, names=("a.yaml", "b.yaml"))
    Screen(file=text, width=80).print(shown)
    assert "~ differs" in text.getvalue()
    assert "2.29x" in text.getvalue()
    data = comparison_to_json(left, right)
    assert (data["left"]["parameters"], data["right"]["parameters"]) == (51, 117)
    assert data["layers"][0] == {
        "sign": "~",
        "left": "linear1",
        "right": "linear1",
        "differs": ["output", "parameters", "multiply_adds"],
    }
