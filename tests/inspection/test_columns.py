"""The columns of a summary, by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from cnnctl.errors import FaultError
from cnnctl.inspection import Report, gather, to_markdown
from cnnctl.inspection.columns import COLUMNS, alike, bytes_of, choose
from cnnctl.model.network import NetworkPlan


def rows_of(plan: NetworkPlan, columns: str) -> dict[str, list[str]]:
    """The cells behind the name of each layer."""
    text = to_markdown(Report(gather(plan, batch_size=4)), columns=columns)
    table = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {name: cells for name, *cells in table[2:]}


def test_each_column_says_what_its_name_says(lenet: NetworkPlan) -> None:
    rows = rows_of(lenet, "kernel,input,output,share,weights,init,dtype")
    # 2,416 of 61,706 parameters, four bytes each
    assert rows["conv2"] == ["5", "6x14x14", "16x10x10", "3.9%", "9.7 kB", "default", "float32"]
    assert rows["tanh1"] == ["-", "6x28x28", "6x28x28", "-", "-", "-", "float32"]
    # 16 * 10 * 10 outputs of 6 * 5 * 5 products each, of 416,520
    assert rows_of(lenet, "share-multiply-adds")["conv2"] == ["57.6%"]
    assert rows["linear3"][:3] == ["-", "84", "10"]


def test_they_come_in_the_order_that_is_asked_for(lenet: NetworkPlan) -> None:
    assert rows_of(lenet, "parameters, output")["conv1"] == ["156", "6x28x28"]


def test_all_are_all(lenet: NetworkPlan) -> None:
    assert len(rows_of(lenet, "all")["conv1"]) == len(COLUMNS)


def test_shares_add_up_to_the_whole(lenet: NetworkPlan) -> None:
    shares = [cells[0] for cells in rows_of(lenet, "share").values()]
    assert sum(float(re.sub("[%-]", "", share) or 0) for share in shares) == pytest.approx(
        100, 1e-2
    )


@pytest.mark.parametrize(
    ("wanted", "hint"), [("kernl", "did you mean kernel?"), ("output,", "known: kernel, input")]
)
def test_a_column_that_is_not_there_is_reported(wanted: str, hint: str, lenet: NetworkPlan) -> None:
    with pytest.raises(FaultError) as raised:
        choose(wanted, gather(lenet, batch_size=1))
    assert hint in str(raised.value)


def test_uncounted_work_is_marked(
    architecture: Callable[..., NetworkPlan],
) -> None:
    summary = gather(architecture({"linear": 3}, "relu", input=(8,)), batch_size=1)
    linear, relu = summary.rows
    rows = (replace(linear, is_counted=False), replace(relu, is_counted=False))
    text = to_markdown(Report(replace(summary, rows=rows)), columns="multiply-adds")
    assert "| linear1 | > 24 |" in text
    assert "| relu1 | not counted |" in text
    assert "24 multiply-adds per sample, without uncounted operations in linear1, relu1" in text


def test_numbers_are_legible() -> None:
    assert (bytes_of(0), bytes_of(1), bytes_of(999), bytes_of(1500)) == (
        "0 B",
        "1 B",
        "999 B",
        "1.5 kB",
    )
    assert (alike((3, 3)), alike((3, 5)), alike(None)) == ("3", "3x5", "-")
