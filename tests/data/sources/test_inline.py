"""Samples written in the experiment, with one target or several by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from cnnctl.data.dataset import DataSet
from cnnctl.data.preparation import prepare, splits_of
from cnnctl.data.sources.inline import Inline
from cnnctl.errors import ExitCode, FaultError
from tests.data.conftest import inputs_of

INPUTS = [[0, 1], [1, 0], [1, 1]]


def read(targets: Any, **options: Any) -> DataSet:
    return DataSet.read({"name": "inline", "inputs": INPUTS, "targets": targets, **options})


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


def test_without_test_samples_there_is_no_test_split() -> None:
    data = read([0, 1, 1])
    assert not data.describe().has_test
    with pytest.raises(FaultError, match="inline has no test split") as error:
        data.load("test", root=Path("none"))
    assert error.value.exit_code is ExitCode.DATA
    splits = prepare(data, seed=0, root=Path("none")).splits
    assert splits_of(data) == ["train"]
    assert not len(splits.test)


def test_test_samples_and_names_of_classes_are_read() -> None:
    data = read([0, 1, 1], test_inputs=[[5, 6]], test_targets=[2], classes=["a", "b", "c"])
    assert data.describe().has_test
    assert data.describe().class_names == ("a", "b", "c")
    samples = data.load("test", root=Path("none"))
    assert (inputs_of(samples).tolist(), samples.targets.tolist()) == ([[5, 6]], [2])


def test_classes_of_both_splits_are_counted_and_named_by_target() -> None:
    targets = {"side": [0, 1, 1], "place": [[1], [2], [3]]}
    test = {"side": [2], "place": [[4]]}
    data = read(targets, test_inputs=[[1, 1]], test_targets=test)
    assert data.describe().class_names == ("0", "1", "2")
    named = {"side": ["left", "right", "middle"]}
    data = read(targets, test_inputs=[[1, 1]], test_targets=test, classes=named)
    assert data.describe().class_names == ("left", "right", "middle")


def test_rows_of_named_columns_are_labels() -> None:
    data = read([[0, 1], [1, 1], [0, 0]], classes=["round", "red"])
    (target,) = data.describe().targets
    assert (target.kind, target.class_names, target.outputs) == ("labels", ("round", "red"), 2)
    samples = data.load("train", root=Path("none"))
    assert torch.equal(samples.targets, torch.tensor([[0.0, 1], [1, 1], [0, 0]]))


@pytest.mark.parametrize(
    ("rows", "kind", "is_soft", "tensor"),
    [
        ([[0.9, 0.1], [0, 1], [0.33, 0.67]], "class", True, [[0.9, 0.1], [0, 1], [0.33, 0.67]]),
        ([[0.33, 0.66], [0, 1], [1, 0]], "class", True, [[0.33, 0.66], [0, 1], [1, 0]]),
        ([[1, 0], [0, 1], [0, 1]], "class", False, [0, 1, 1]),
        ([[0.9, 0.3], [0, 1], [0, 1]], "labels", True, [[0.9, 0.3], [0, 1], [0, 1]]),
        ([[0, 0], [0, 1], [0, 1]], "labels", False, [[0, 0], [0, 1], [0, 1]]),
    ],
)
def test_rows_of_named_columns_are_classes_where_they_add_up_to_1(
    rows: list[Any], kind: str, is_soft: bool, tensor: list[Any]
) -> None:
    data = read(rows, classes=["round", "red"])
    (target,) = data.describe().targets
    assert (target.kind, target.is_soft, target.outputs) == (kind, is_soft, 2)
    targets = data.load("train", root=Path("none")).targets
    assert targets.is_floating_point() == (targets.ndim == 2)
    assert targets.tolist() == pytest.approx(np.array(tensor))


def test_the_targets_of_both_splits_say_what_rows_are() -> None:
    rows = [[1, 0], [0, 1], [0, 1]]
    data = read(rows, classes=["a", "b"], test_inputs=[[1, 1]], test_targets=[[0.5, 0.5]])
    assert data.load("train", root=Path("none")).targets.tolist() == rows
    data = read(rows, classes=["a", "b"], test_inputs=[[1, 1]], test_targets=[[1, 1]])
    assert data.describe().targets[0].kind == "labels"


def test_probabilities_are_cut_by_the_likeliest_class() -> None:
    rows = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8]]
    data = DataSet.read(
        {
            "name": "inline",
            "inputs": [[0], [1], [2], [3]],
            "targets": rows,
            "classes": ["a", "b"],
            "validation": 0.5,
        }
    )
    splits = prepare(data, seed=0, root=Path("none")).splits
    assert sorted(splits.validation.targets.argmax(dim=1).tolist()) == [0, 1]


def test_labels_can_be_one_target_of_several() -> None:
    targets = {"side": [0, 1, 1], "tags": [[0, 1], [1, 1], [0, 0]], "place": [[1], [2], [3]]}
    data = read(targets, classes={"tags": ["round", "red"]})
    assert [target.kind for target in data.describe().targets] == ["class", "labels", "values"]
    samples = data.load("train", root=Path("none"))
    assert samples.others["tags"].tolist() == [[0, 1], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"test_inputs": [[0, 1]]}, "1 rows of test_inputs, but 0 test_targets"),
        ({"test_targets": [1]}, "0 rows of test_inputs, but 1 test_targets"),
        ({"test_inputs": [[0]], "test_targets": [1]}, "1 numbers, not 2 numbers as in"),
        ({"test_inputs": [[0, 1]], "test_targets": [[1]]}, "are 1 numbers, not classes as"),
        ({"test_inputs": [[0, 1]], "test_targets": {"a": [1]}}, "have different names"),
        ({"classes": ["a"]}, "1 class names"),
        ({"classes": ["a", "a"]}, "2 class names, 1 of them distinct"),
        ({"classes": {"side": ["a", "b"]}}, "classes of side, which is not a target"),
        ({"targets": [0, 2, 1], "classes": ["a", "b"]}, "class 2 among the targets, but 2 class"),
        ({"targets": [[0], [2], [1]], "classes": ["a", "b"]}, "2 of them distinct, for rows of 1"),
        ({"targets": [[0, 1]] * 3, "classes": ["a", "a"]}, "1 of them distinct, for rows of 2"),
        ({"targets": [[0], [2], [1]], "classes": ["a"]}, "not 2 as in row 1 of targets"),
        (
            {
                "targets": {"tags": [[0], [0], [1]]},
                "classes": {"tags": ["a"]},
                "test_inputs": [[1, 2]],
                "test_targets": {"tags": [[-0.5]]},
            },
            "not -0.5 as in row 0 of test_targets of tags",
        ),
        (
            {"targets": [[0], [0], [1]], "classes": ["a"], "normalize_targets": "auto"},
            "probabilities of classes and labels are not normalised",
        ),
        ({"inputs": [[1e300, 1], [1, 1], [1, 1]]}, "less than or equal to 1"),
        ({"inputs": [[0, 1]] * 10_001}, "at most 10000 items"),
        ({"inputs": [[0] * 10_000] * 3}, "numbers, more than the limit of 20,000"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], fault: str) -> None:
    given = {"targets": [0, 1, 1], **options}
    with pytest.raises(ValidationError, match=fault):
        read(**given)
