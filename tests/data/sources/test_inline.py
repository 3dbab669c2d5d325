"""Samples written in the experiment, with one target or several by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from cnnctl.data.dataset import DataSet
from cnnctl.data.sources.inline import Inline

INPUTS = [[0, 1], [1, 0], [1, 1]]


def read(targets: Any) -> DataSet:
    return DataSet.read({"name": "inline", "inputs": INPUTS, "targets": targets})


def test_targets_by_name_are_all_described_and_read() -> None:
    data = read({"side": [0, 2, 1], "place": [[1, 2], [3, 4], [5, 6]]})
    assert isinstance(data, Inline)
    side, place = data.describe().targets
    assert (side.name, side.class_names, side.outputs) == ("side", ("0", "1", "2"), 3)
    assert (place.name, place.class_names, place.outputs) == ("place", (), 2)
    samples = data.load("train", root=Path("none"))
    assert torch.equal(samples.targets, torch.tensor([0, 2, 1]))
    assert torch.equal(samples.others["place"], torch.tensor([[1.0, 2], [3, 4], [5, 6]]))


@pytest.mark.parametrize(
    ("targets", "fault"),
    [
        ({"side": [0, 1, 1], "place": [[1], [2]]}, "3 rows of inputs, but 2 targets of place"),
        ({"side": [0, 1]}, "3 rows of inputs, but 2 targets of side"),
        ({"place": [[1], [2, 3], [4]]}, "rows of targets of place have 1 to 2 numbers"),
        ([0, 1], "3 rows of inputs, but 2 targets"),
        ({}, "at least 1 item"),
    ],
)
def test_targets_that_are_no_table_are_refused(targets: Any, fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        read(targets)
