"""What init proposes for tables: facts that are counted, and a file that trains."""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression, Ridge

from cnnctl.data.dataset import DataSet, StoredSplit
from cnnctl.data.sources.table import TableSet
from cnnctl.data.tables.columns import Number
from cnnctl.errors import ExitCode, FaultError
from cnnctl.experiment import load
from cnnctl.proposals.table_config import propose
from cnnctl.proposals.table_facts import gather
from cnnctl.proposals.targets import likely_target
from cnnctl.proposals.vector_learning import FEW, batch_size, layers
from tests.conftest import Cli


def write(file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([header, *rows])
    return file


def people(file: Path, count: int, *, share: float = 0.5) -> Path:
    """Rows with an identifier, numbers, categories and missing cells, and a class of this share."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(count):
        is_ill = number < share * count
        age = "" if number % 10 == 0 else f"{rng.normal(40 + 20 * is_ill, 10):.1f}"
        town = rng.choice(["北京", "上海"])
        rows.append([number + 1, age, town, "eu", "ill" if is_ill else "well"])
    return write(file, ["nr", "年龄", "town", "region", "state"], rows)


@pytest.mark.parametrize(
    ("names", "target"),
    [
        (["a", "Species", "b"], "Species"),
        (["class", "target", "x"], "target"),
        (["a", "b"], "b"),
    ],
)
def test_the_target_is_found_by_its_name_or_its_place(names: list[str], target: str) -> None:
    assert likely_target(names)[0] == target


def test_facts_are_counted(tmp_path: Path) -> None:
    facts = gather(people(tmp_path / "people.csv", 200, share=0.1), target=None)
    assert facts.targets == ["state"]
    assert facts.ignored == {"nr": "a row number", "region": "constant"}
    assert facts.missing == {"年龄": 20}
    assert dict(facts.counts) == {"ill": 20, "well": 180}
    assert facts.imbalance == 9
    assert facts.repeated == 0
    copied = write(tmp_path / "copied.csv", "ab", [[n % 20, "xy"[n % 2]] for n in range(50)])
    assert gather(copied, target="b").repeated == 30


def test_a_target_that_is_no_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="has no column stat") as error:
        gather(people(tmp_path / "people.csv", 40), target="stat")
    assert error.value.exit_code is ExitCode.DATA
    assert error.value.faults[0].hint == "did you mean state?"


def test_a_table_without_features_is_refused(tmp_path: Path) -> None:
    rows = [[at + 1, "eu", ("ill", "well")[at % 2]] for at in range(40)]
    path = write(tmp_path / "people.csv", ["nr", "region", "state"], rows)
    with pytest.raises(FaultError, match="no column to learn from") as error:
        gather(path, target=None)
    assert error.value.faults[0].hint == "nr is a row number; region is constant"


def test_rare_classes_are_weighted(tmp_path: Path) -> None:
    for count, share, is_weighted in ((200, 0.1, True), (200, 0.5, False)):
        facts = gather(people(tmp_path / "people.csv", count, share=share), target=None)
        assert ("weight: balanced" in propose(facts, folder=tmp_path)) == is_weighted


def test_more_rows_get_larger_batches_and_networks() -> None:
    assert [batch_size(rows) for rows in (20, 1000, 10_000)] == [16, 32, 256]
    assert layers(100, outputs="classes", is_few=True)[0] == [{"linear": "classes"}]
    wide, _ = layers(50_000, outputs=1, is_few=False)
    assert wide == [{"linear": 128}, "relu", {"dropout": 0.1}] * 2 + [{"linear": 1}]


@pytest.mark.parametrize("count", [FEW - 600, FEW + 200])
def test_what_is_written_trains_and_predicts(count: int, quick_cli: Cli, tmp_path: Path) -> None:
    people(tmp_path / "people.csv", count, share=0.2)
    done = quick_cli("init", "people.csv")
    assert done.returncode == 0, done.stderr
    assert "nr is ignored: a row number" in done.stdout
    assert quick_cli("check", "people.yaml").stdout == "people.yaml: no problems found\n"
    trained = quick_cli("train", "people.yaml", "train.epochs=2")
    assert trained.returncode == 0, trained.stderr
    assert quick_cli("eval", "runs/people").returncode == 0
    assert quick_cli("predict", "runs/people", "people.csv", "-o", "x.csv").returncode == 0
    assert len((tmp_path / "x.csv").read_text().splitlines()) == count + 1


def test_the_index_that_pandas_writes_is_no_feature(quick_cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [[f"{x:.3f}", "xy"[int(x > 0)]] for x in rng.normal(size=60)]
    rows[7] = rows[0]
    write(tmp_path / "x.csv", ["", "a", "kind"], [[n, *row] for n, row in enumerate(rows)])
    done = quick_cli("init", "x.csv")
    assert done.returncode == 0, done.stderr
    assert "Unnamed: 0 is ignored: an index" in done.stdout
    assert "note: 1 row equals an earlier one" in done.stdout
    trained = quick_cli("train", "x.yaml", "train.epochs=2")
    assert trained.returncode == 0, trained.stderr
    write(tmp_path / "without.csv", ["a"], [row[:1] for row in rows])
    answers = [
        quick_cli("predict", "runs/x", f"{name}.csv", "--jsonl") for name in ("x", "without")
    ]
    assert [each.returncode for each in answers] == [0, 0], answers
    own, other = (
        [json.loads(line)["probabilities"] for line in each.stdout.splitlines()] for each in answers
    )
    assert len(own) == 60
    assert own == other


def test_several_targets_get_a_head_each(quick_cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        [x, y, "xy"[int(x > y)], ";".join(tag for tag in "pq" if rng.random() < 0.5), x + 2 * y]
        for x, y in rng.normal(size=(200, 2))
    ]
    write(tmp_path / "many.csv", ["a", "b", "kind", "tags", "size"], rows)
    done = quick_cli("init", "many.csv", "--target", "kind, tags,size")
    assert done.returncode == 0, done.stderr
    assert "target: kind, tags, size (named on the command line)" in done.stdout
    assert "labels of tags: 2 (q " in done.stdout
    described = load(tmp_path / "many.yaml").description.targets
    kinds = {target.name: target.kind for target in described}
    assert kinds == {"kind": "class", "tags": "labels", "size": "values"}
    trained = quick_cli("train", "many.yaml")
    assert trained.returncode == 0, trained.stderr
    measured = json.loads(quick_cli("eval", "runs/many", "--json").stdout)
    assert measured["heads"]["kind"]["accuracy"] > 0.9  # both are linear
    assert measured["heads"]["size"]["r2"] > 0.95


def test_several_targets_are_named_in_one_option_or_in_several(
    quick_cli: Cli, tmp_path: Path
) -> None:
    people(tmp_path / "people.csv", 60)
    once = quick_cli("init", "people.csv", "-o", "once.yaml", "--target", "state,town")
    each = quick_cli(
        "init", "people.csv", "-o", "each.yaml", "--target", "state", "--target", "town"
    )
    assert (once.returncode, each.returncode) == (0, 0), once.stderr + each.stderr
    assert "targets: {state: class, town: class}" in (tmp_path / "each.yaml").read_text("utf-8")
    assert (tmp_path / "each.yaml").read_bytes() == (tmp_path / "once.yaml").read_bytes()


def test_a_few_rows_are_enough(quick_cli: Cli, tmp_path: Path) -> None:
    rows = [[1, "NA"], [2, "b"], [3, "NA"], [4, "b"], [1.5, "NA"], [2.5, "b"]]
    with pytest.raises(FaultError, match="has 3 rows, too few for training and testing"):
        gather(write(tmp_path / "x.csv", ["年龄", "target"], rows[:3]), target=None)
    write(tmp_path / "x.csv", ["年龄", "target"], rows)
    assert quick_cli("init", "x.csv").returncode == 0
    trained = quick_cli("train", "x.yaml")
    assert trained.returncode == 0, trained.stderr
    assert "table: 5 train, 1 test" in trained.stdout


def test_targets_that_are_named_wrongly_are_refused(tmp_path: Path) -> None:
    file = people(tmp_path / "people.csv", 40)
    for target, message in (("state,twon", "has no column twon"), ("town,town", "named twice")):
        with pytest.raises(FaultError, match=message):
            gather(file, target=target)


def test_columns_of_splits_and_groups_are_kept_to(quick_cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [[*rng.normal(size=2).round(2), f"p{n // 4}", "xy"[n % 2]] for n in range(80)]
    names = ["a", "b", "PatientId", "kind"]
    facts = gather(write(tmp_path / "x.csv", names, rows), target=None)
    assert (facts.data.group, facts.data.split, facts.targets) == ("PatientId", None, ["kind"])
    splits = ["train"] * 50 + ["dev"] * 15 + ["test"] * 15
    doubled = [[*row, split] for row, split in zip(rows[:79] + rows[:1], splits, strict=True)]
    write(tmp_path / "x.csv", [*names, "subset"], doubled)
    done = quick_cli("init", "x.csv")
    assert done.returncode == 0, done.stderr
    assert "splits: train 50, validation 15, test 15, from column subset" in done.stdout
    assert "warning: 2 rows in two splits, which inflates the results" in done.stdout
    assert "column kinds: number 2, category 1\ntarget: kind (" in done.stdout
    text = (tmp_path / "x.yaml").read_text(encoding="utf-8")
    assert "split: subset" in text
    assert "validation:" not in text
    assert "test:" not in text
    assert quick_cli("check", "x.yaml").stdout == "x.yaml: no problems found\n"


def test_columns_of_bits_tell_splits(cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=80).round(2)
    rows = [[x, int(n >= 60), n < 50, "xy"[int(x > 0)]] for n, x in enumerate(values)]
    write(tmp_path / "x.csv", ["a", "is_test", "isTrain", "kind"], rows)
    done = cli("init", "x.csv")
    assert done.returncode == 0, done.stderr
    assert "splits: train 60, test 20, from column is_test" in done.stdout
    assert "isTrain is ignored: tells splits, as is_test does" in done.stdout
    trained = cli("train", "x.yaml", "train.epochs=2")
    assert trained.returncode == 0, trained.stderr
    assert "table: 60 train, 20 test" in trained.stdout
    named = gather(tmp_path / "x.csv", target="isTrain")
    assert (named.targets, named.data.split) == (["isTrain"], "is_test")


@pytest.mark.parametrize(
    ("load_rows", "model"),
    [
        (load_iris, LogisticRegression(max_iter=1000)),
        (load_breast_cancer, LogisticRegression(max_iter=1000)),  # of two classes
        (partial(load_diabetes, scaled=False), Ridge()),
    ],
)
def test_few_rows_are_learned_as_scikit_learn_does(
    load_rows: Callable[[], Any], model: LogisticRegression | Ridge, quick_cli: Cli, tmp_path: Path
) -> None:
    """The answers of its linear models, which learn from the same standardised rows."""
    found, is_class = load_rows(), isinstance(model, LogisticRegression)
    named = found.target_names[found.target] if is_class else found.target
    rows = [[*row, value] for row, value in zip(found.data, named, strict=True)]
    write(tmp_path / "few.csv", [*found.feature_names, "target"], rows)
    assert quick_cli("init", "few.csv").returncode == 0
    trained = quick_cli("train", "few.yaml")
    assert trained.returncode == 0, trained.stderr
    data = load(tmp_path / "few.yaml").experiment.data
    assert isinstance(data, TableSet)
    columns = [column for column in data.columns.values() if isinstance(column, Number)]
    means, stds = zip(*((column.mean, column.std) for column in columns), strict=True)
    standard = (found.data - np.array(means)) / np.array(stds)
    train, targets = arrays(data, "train")
    model.fit(train, targets.ravel())
    done = quick_cli("predict", "runs/few", "few.csv", "--jsonl")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if isinstance(model, LogisticRegression):
        own = [[answer["probabilities"][name] for name in data.classes] for answer in answers]
        np.testing.assert_allclose(own, model.predict_proba(standard), atol=0.005)
    else:
        values = [answer["values"][0] for answer in answers]
        np.testing.assert_allclose(values, model.predict(standard), rtol=0.005)


def arrays(data: DataSet, split: StoredSplit) -> tuple[np.ndarray, np.ndarray]:
    samples = data.load(split, root=Path())
    return samples.rows.take(torch.arange(len(samples))).numpy(), samples.targets.numpy()
