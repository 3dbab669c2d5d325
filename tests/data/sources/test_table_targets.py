"""Several targets from the columns of a table."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnnctl.data.preparation import prepare, read_split
from cnnctl.data.sources.table import TableSet
from cnnctl.errors import ExitCode, FaultError
from tests.conftest import Cli
from tests.data.sources.test_table import write

HEADER = ["a", "b", "kind", "tags", "is big", "size", "weight"]


def rows(count: int = 120) -> list[list[Any]]:
    """Rows whose targets follow from their two features."""
    found = []
    for a, b in np.random.default_rng(0).normal(size=(count, 2)).round(4):
        tags = "; ".join(tag for tag, is_so in (("热", a > 0), ("wet", b > 0)) if is_so)
        found.append([a, b, "x" if a > b else "y", tags, int(a > 1), 1000 + 300 * a, b])
    return found


def many(path: Path) -> Path:
    return write(path, HEADER, rows())


TARGETS = {
    "kind": "class",
    "tags": "labels",
    "flags": {"name": "labels", "columns": ["is big"]},
    "dims": {"name": "values", "columns": ["size", "weight"]},
}
HEADS = """\
data:
  name: table
  path: many.csv
  targets:
    kind: class
    tags: labels
    flags: {name: labels, columns: [is big]}
    dims: {name: values, columns: [size, weight]}
  batch_size: 16
model:
  layers: [linear: 16, relu]
  heads:
    kind: {layers: [linear: classes]}
    tags: {layers: [linear: classes], loss: bce_with_logits}
    flags: {layers: [linear: classes], loss: bce_with_logits}
    dims: {layers: [linear: classes], loss: mse}
optimizer: {name: adam, lr: 0.01}
train: {epochs: 30}
"""


def surveyed(path: Path, **options: Any) -> TableSet:
    plain = {"name": "table", "path": str(path), **options}
    return TableSet.read(plain).surveyed(Path(), seed=0)


def test_targets_are_the_cells_of_their_columns(tmp_path: Path) -> None:
    data = surveyed(many(tmp_path / "many.csv"), targets=TARGETS, test=0, validation=0)
    samples = prepare(data, seed=0).splits.train.samples
    known = rows()
    assert samples.targets.tolist() == [int(row[2] == "y") for row in known]
    tags = [["wet" in row[3], "热" in row[3]] for row in known]
    assert torch.equal(samples.others["tags"], torch.tensor(tags).float())
    assert samples.others["flags"][:, 0].tolist() == [float(row[4]) for row in known]
    assert torch.equal(samples.others["dims"], torch.tensor([row[5:] for row in known]).float())
    names = {target.name: target.class_names for target in data.describe().targets}
    assert names == {"kind": ("x", "y"), "tags": ("wet", "热"), "flags": ("is big",), "dims": ()}


def test_targets_are_no_features(tmp_path: Path) -> None:
    assert list(surveyed(many(tmp_path / "many.csv"), targets=TARGETS).columns) == ["a", "b"]


def test_values_of_a_head_are_normalised_by_its_training_split(tmp_path: Path) -> None:
    data = prepare(surveyed(many(tmp_path / "many.csv"), targets=TARGETS), seed=0)
    values = data.splits.train.target("dims").double()
    found = data.data.target_normalizations["dims"]
    assert not isinstance(found, str)
    np.testing.assert_allclose(found.mean, values.mean(dim=0), rtol=1e-6)
    np.testing.assert_allclose(found.std, values.std(dim=0, correction=0), rtol=1e-6)


def test_heads_are_trained_measured_and_answered_in_their_own_units(
    quick_cli: Cli, tmp_path: Path
) -> None:
    many(tmp_path / "many.csv")
    (tmp_path / "many.yaml").write_text(HEADS)
    trained = quick_cli("train", "many.yaml")
    assert trained.returncode == 0, trained.stderr
    measured = json.loads(quick_cli("eval", "runs/many", "--json").stdout)["heads"]
    assert measured["kind"]["accuracy"] > 0.8
    assert measured["tags"]["average_precision"] > 0.9
    assert measured["dims"]["rmse"] < 60  # the size is 1000 +- 300
    done = quick_cli("predict", "runs/many", "many.csv", "--jsonl")
    answers = [json.loads(line)["heads"] for line in done.stdout.splitlines()]
    sizes = np.array([answer["dims"]["values"][0] for answer in answers])
    assert np.abs(sizes - [row[5] for row in rows()]).mean() < 60


def test_one_target_can_have_several_labels(quick_cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "tags.csv", ["a", "b", "tags"], [[*row[:2], row[3]] for row in rows()])
    (tmp_path / "tags.yaml").write_text(
        "data: {name: table, path: tags.csv, target: tags, task: multilabel, batch_size: 8}\n"
        "model: {layers: [linear: classes]}\n"
        "loss: bce_with_logits\n"
        "optimizer: {name: adam, lr: 0.05}\n"
        "train: {epochs: 20}\n"
    )
    trained = quick_cli("train", "tags.yaml")
    assert trained.returncode == 0, trained.stderr
    assert json.loads(quick_cli("eval", "runs/tags", "--json").stdout)["average_precision"] > 0.9


def test_labels_are_cut_in_proportion(tmp_path: Path) -> None:
    table = [[at, "rare" if at % 10 == 0 else "common"] for at in range(200)]
    path = write(tmp_path / "t.csv", ["a", "tags"], table)
    data = surveyed(path, targets={"tags": "labels"}, test=0.2, columns={"a": "number"})
    test = read_split(data, "test", seed=0)
    assert test.targets.sum(dim=0).tolist() == [36, 4]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ([0, 0, "x", "wet;;热", 0, 1, 1], "column tags: wet;;热 has an empty label"),
        ([0, 0, "x", "", "maybe", 1, 1], "column is big: maybe is neither 0 nor 1"),
        ([0, 0, "", "", 0, 1, 1], "column kind: the target is missing"),
        ([0, 0, "x", "", 0, "", 1], "column size: the target is missing"),
        ([0, 0, "x", "", 0, "big", 1], "column size: big is not a number"),
    ],
)
def test_a_cell_that_is_no_target_is_named_by_its_line(
    row: list[Any], fault: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "t.csv", HEADER, [*rows(), row])
    with pytest.raises(FaultError) as error:
        prepare(surveyed(path, targets=TARGETS), seed=0)
    [first, *_] = error.value.faults
    assert (first.place, first.message) == (f"{path}:122", fault)
    assert error.value.exit_code is ExitCode.DATA


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({}, "no target"),
        ({"target": "kind", "targets": {"kind": "class"}}, "exclude each other"),
        ({"targets": {"kind": "class"}, "task": "regression"}, "task is for one target"),
        ({"targets": {"kind": "class"}, "classes": ["x", "y"]}, "classes is for one target"),
        ({"targets": {"kid": "class"}}, "has no column kid"),
        (
            {"targets": {"kind": "class", "also": {"name": "class", "column": "kind"}}},
            "kind belongs to kind already",
        ),
        ({"targets": {"kind": "class"}, "columns": {"kind": "category"}}, "is not a feature"),
        (
            {"targets": {"tags": {"name": "labels", "classes": ["wet", "热", "dry"]}}},
            "no row of the training split has the label dry",
        ),
    ],
)
def test_options_that_do_not_fit_are_a_fault(
    options: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    path = many(tmp_path / "many.csv")
    with pytest.raises(Exception, match=fault):
        surveyed(path, **options)
