import csv
import gc
import json
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression, Ridge

from cnnctl.data.preparation import prepare
from cnnctl.data.samples import Split
from cnnctl.data.sources.table import TableSet
from cnnctl.data.tables import reading
from cnnctl.errors import ExitCode, FaultError
from tests.conftest import Cli


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def iris(path: Path) -> Path:
    known = load_iris()
    rows = [[*x, known.target_names[y]] for x, y in zip(known.data, known.target, strict=True)]
    return write(path, ["sepal length", "sepal width", "petal length", "petal width", "kind"], rows)


def diabetes(path: Path) -> Path:
    features, progression = load_diabetes(return_X_y=True, scaled=False)
    names = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6", "progression"]
    return write(path, names, [[*x, y] for x, y in zip(features, progression, strict=True)])


def surveyed(path: Path, target: str, **options: Any) -> TableSet:
    return TableSet.read(
        {"name": "table", "path": str(path), "target": target, **options}
    ).surveyed(Path(), seed=0)


def arrays(split: Split) -> tuple[Any, Any]:
    return split.samples.rows.take(split.positions).numpy(), split.targets.numpy()


IRIS = """\
data: {name: table, path: iris.csv, target: kind, batch_size: 16}
model: {layers: [linear: classes]}
optimizer: {name: adam, lr: 0.05}
train: {epochs: 60}
"""
DIABETES = """\
data: {name: table, path: diabetes.csv, target: progression, batch_size: 64}
model: {layers: [linear: 1]}
loss: mse
optimizer: {name: adam, lr: 0.02}
train: {epochs: 60}
"""


def measured(quick_cli: Cli, *arguments: str) -> dict[str, Any]:
    done = quick_cli("eval", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_iris_is_learned_as_well_as_by_logistic_regression(quick_cli: Cli, tmp_path: Path) -> None:
    parts = prepare(surveyed(iris(tmp_path / "iris.csv"), "kind"), seed=0).splits
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [115, 13, 22]
    other = LogisticRegression(max_iter=1000).fit(*arrays(parts.train)).score(*arrays(parts.test))
    (tmp_path / "iris.yaml").write_text(IRIS)
    trained = quick_cli("train", "iris.yaml")
    assert trained.returncode == 0, trained.stderr
    assert "table: 115 train, 13 validation, 22 test" in trained.stdout
    found = measured(quick_cli, "runs/iris")
    assert found["accuracy"] >= other
    # the same rows elsewhere, and the file that was trained on is gone
    (tmp_path / "iris.csv").rename(tmp_path / "moved.csv")
    assert quick_cli("summary", "runs/iris").returncode == 0
    missing = quick_cli("eval", "runs/iris")
    assert missing.returncode == ExitCode.DATA
    assert "no such file" in missing.stderr
    assert measured(quick_cli, "runs/iris", "--data", "moved.csv") == found


def test_diabetes_is_learned_as_well_as_by_ridge_regression(quick_cli: Cli, tmp_path: Path) -> None:
    parts = prepare(surveyed(diabetes(tmp_path / "diabetes.csv"), "progression"), seed=0).splits
    ridge = Ridge().fit(*arrays(parts.train)).score(*arrays(parts.test))
    (tmp_path / "diabetes.yaml").write_text(DIABETES)
    trained = quick_cli("train", "diabetes.yaml")
    assert trained.returncode == 0, trained.stderr
    assert measured(quick_cli, "runs/diabetes")["r2"] >= ridge - 0.01


def test_all_rows_of_another_table_are_tested(quick_cli: Cli, tmp_path: Path) -> None:
    iris(tmp_path / "iris.csv")
    (tmp_path / "iris.yaml").write_text(IRIS)
    assert quick_cli("train", "iris.yaml", "train.epochs=1").returncode == 0
    lines = (tmp_path / "iris.csv").read_text().splitlines()
    (tmp_path / "new.csv").write_text("\n".join([lines[0], *lines[10:40]]))
    done = quick_cli("eval", "runs/iris", "--data", "new.csv", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["samples"] == 30
    assert "new.csv is not the file of the run: all 30 rows are tested" in done.stderr
    (tmp_path / "new.csv").write_text("sepal length,kind\n1,setosa\n")
    missing = quick_cli("eval", "runs/iris", "--data", "new.csv")
    assert missing.returncode == ExitCode.DATA
    assert "new.csv: has no column sepal width" in missing.stderr
    (tmp_path / "new.csv").write_text("\n".join([lines[0], lines[1] + "s"]))
    unknown = quick_cli("eval", "runs/iris", "--data", "new.csv")
    assert "new.csv:2: column kind: class setosas is not in the training split" in unknown.stderr
    assert "did you mean setosa?" in unknown.stderr


def test_a_run_is_not_resumed_on_another_table(quick_cli: Cli, tmp_path: Path) -> None:
    iris(tmp_path / "iris.csv")
    (tmp_path / "iris.yaml").write_text(IRIS)
    assert quick_cli("train", "iris.yaml", "train.epochs=1").returncode == 0
    with (tmp_path / "iris.csv").open("a") as file:
        file.write("\n")  # no row is another, but the file is
    resumed = quick_cli("train", "--resume", "runs/iris", "train.epochs=2")
    assert resumed.returncode == ExitCode.DATA
    assert "the train split has changed since the run was started" in resumed.stderr


def test_a_table_in_an_archive_is_proposed_trained_and_answered_for(
    quick_cli: Cli, tmp_path: Path
) -> None:
    path = iris(tmp_path / "iris.csv")
    with zipfile.ZipFile(tmp_path / "flowers.zip", "w") as archive:
        archive.write(path, "data/iris.csv")
    proposed = quick_cli("init", "flowers.zip", "--target", "kind")
    assert proposed.returncode == 0, proposed.stderr
    assert "150 rows" in proposed.stdout
    trained = quick_cli("train", "flowers.yaml", "train.epochs=1", "name=flowers")
    assert trained.returncode == 0, trained.stderr
    assert measured(quick_cli, "runs/flowers") == measured(
        quick_cli, "runs/flowers", "--data", "iris.csv"
    )
    found = [
        quick_cli("predict", "runs/flowers", name, "--jsonl").stdout
        for name in ("flowers.zip", "iris.csv")
    ]
    assert found[0].replace("flowers.zip/data/", "") == found[1]
    assert len(found[1].splitlines()) == 150


def test_a_table_is_parsed_once_when_training_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    parse = reading._table_of

    def counted(content: bytes, place: str, digest: str) -> reading.Table:
        calls.append(place)
        return parse(content, place, digest)

    monkeypatch.setattr(reading, "_table_of", counted)
    path = iris(tmp_path / "iris.csv")
    parts = prepare(surveyed(path, "kind"), seed=0).splits
    assert calls == [str(path)]
    # its cells are of no use any more
    left = [each for each in gc.get_objects() if type(each) is reading.Table]
    assert not any(each.columns for each in left if each.place == str(path))
    assert parts.test.samples.called(0).startswith(f"{path}:")


def test_statistics_are_those_of_the_training_split(tmp_path: Path) -> None:
    data = surveyed(iris(tmp_path / "iris.csv"), "kind", validation=0.3)
    parts = prepare(data, seed=0).splits
    inputs, _ = arrays(parts.train)
    assert np.abs(inputs.mean(axis=0)).max() < 1e-6
    assert np.abs(inputs.std(axis=0) - 1).max() < 1e-6
    assert not parts.train.samples.rows.take(parts.validation.positions).mean(0).abs().max() < 1e-6


def test_a_surveyed_table_is_read_back(tmp_path: Path) -> None:
    data = surveyed(iris(tmp_path / "iris.csv"), "kind")
    assert TableSet.read(data.written()) == data
    assert data.describe().class_names == ("setosa", "versicolor", "virginica")
    assert data.describe().shape == (4,)


@pytest.mark.parametrize(
    ("options", "path", "message", "hint"),
    [
        ({"target": "kidn"}, ("target",), "no column kidn", "did you mean kind"),
        ({"group": "patient"}, ("group",), "no column patient", "known: sepal length"),
        ({"columns": {"petal": "number"}}, ("columns", "petal"), "no column petal", "known"),
        ({"columns": {"kind": "category"}}, ("columns", "kind"), "target is not", "remove it"),
        ({"test": 0.001}, ("test",), "leaves none", "closer to 0.5"),
    ],
)
def test_options_that_do_not_fit_the_table_are_faults(
    options: dict[str, Any], path: tuple[str, ...], message: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(FaultError, match=message) as error:
        surveyed(iris(tmp_path / "iris.csv"), **{"target": "kind", **options})
    assert error.value.faults[0].path == path
    assert hint in error.value.faults[0].hint


def test_columns_can_be_chosen(tmp_path: Path) -> None:
    options: dict[str, Any] = {"sepal length": "ignored", "petal width": {"name": "category"}}
    data = surveyed(iris(tmp_path / "iris.csv"), "kind", columns=options)
    kinds = [column.kind for column in data.columns.values()]
    assert kinds == ["ignored", "number", "number", "category"]
    assert data.whole().shape == (2 + data.columns["petal width"].width,)


ROWS = [[number % 7, f"p{number // 4}", 2000 + number, "ab"[number % 2]] for number in range(80)]
HEADER = ["x", "patient", "year", "y"]


def test_groups_stay_together(tmp_path: Path) -> None:
    data = surveyed(write(tmp_path / "t.csv", HEADER, ROWS), "y", group="patient", validation=0.2)
    parts = prepare(data, seed=0).splits
    assert len(parts.train) + len(parts.validation) + len(parts.test) == 80
    splits = (parts.train, parts.validation, parts.test)
    found = [{part.samples.groups[at] for at in part.positions} for part in splits]  # type: ignore[index]
    assert all(found)
    assert not found[0] & found[1] | found[0] & found[2] | found[1] & found[2]
    assert list(data.columns) == ["x", "year"]
    assert data.describe().train_samples == len(parts.train)


def test_the_latest_samples_are_for_testing(tmp_path: Path) -> None:
    shuffled = [ROWS[at] for at in np.random.default_rng(0).permutation(80)]
    columns = {"year": "number"}
    data = surveyed(
        write(tmp_path / "t.csv", HEADER, shuffled), "y", time="year", test=0.25, columns=columns
    )
    number = data.columns["year"].model_dump()
    parts = prepare(data, seed=0).splits
    train, validation, test = (
        np.round(arrays(part)[0][:, -1] * number["std"] + number["mean"]).tolist()
        for part in (parts.train, parts.validation, parts.test)
    )
    assert sorted(train) == list(range(2000, 2054))
    assert sorted(validation) == list(range(2054, 2060))
    assert sorted(test) == list(range(2060, 2080))


def test_a_column_can_give_the_splits(tmp_path: Path) -> None:
    parts_of = ["train", "train", "validation", "test"]
    rows = [[*row, parts_of[number // 20]] for number, row in enumerate(ROWS)]
    path = write(tmp_path / "t.csv", [*HEADER, "part"], rows)
    parts = prepare(surveyed(path, "y", split="part"), seed=0).splits
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [40, 20, 20]
    assert parts.validation.positions.tolist() == list(range(40, 60))
    rows[9][-1] = "tset"
    with pytest.raises(FaultError, match=r"t.csv:11: column part: tset is not a split") as error:
        surveyed(write(path, [*HEADER, "part"], rows), "y", split="part")
    assert "did you mean test" in error.value.faults[0].hint


def test_rules_for_splits_are_not_combined() -> None:
    with pytest.raises(ValueError, match="group and time cannot be combined"):
        TableSet(path="t.csv", target="y", group="patient", time="year")


@pytest.mark.parametrize(
    ("target", "task"),
    [
        ([number % 3 for number in range(60)], "classification"),
        ([number % 2 for number in range(8)], "classification"),
        ([number % 30 for number in range(60)], "regression"),
        ([number / 2 for number in range(60)], "regression"),
        (["NA" if number % 2 else "EU" for number in range(60)], "classification"),
    ],
)
def test_what_a_target_is_follows_from_its_cells(
    target: list[Any], task: str, tmp_path: Path
) -> None:
    rows = [[number % 5, value] for number, value in enumerate(target)]
    data = surveyed(write(tmp_path / "t.csv", ["x", "y"], rows), "y", validation=0.25)
    assert data.task == task
    assert data.whole().outputs == (len(set(target)) if task == "classification" else 1)


def test_a_class_may_be_called_na(tmp_path: Path) -> None:
    rows = [[number, ["NA", "EU", "null"][number % 3]] for number in range(60)]
    data = surveyed(write(tmp_path / "t.csv", ["x", "y"], rows), "y")
    assert data.classes == ["EU", "NA", "null"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({4: ""}, "t.csv:6: column y: the target is missing"),
        (dict.fromkeys(range(60), "a"), "t.csv:.: column y: the target has only one value, a"),
    ],
)
def test_targets_that_teach_nothing_are_faults(
    change: dict[int, str], message: str, tmp_path: Path
) -> None:
    rows = [[number, change.get(number, "abc"[number % 3])] for number in range(60)]
    with pytest.raises(FaultError, match=message) as error:
        surveyed(write(tmp_path / "t.csv", ["x", "y"], rows), "y")
    assert error.value.exit_code is ExitCode.DATA
    assert error.value.faults[0].hint


@pytest.mark.parametrize("seed", range(12))
def test_statistics_are_those_of_the_training_split_where_groups_decide(
    seed: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 50, 120)
    rows = [[rng.normal(), f"g{group}", rng.choice([*"abcd"])] for group in groups]
    path = write(tmp_path / "t.csv", ["x", "who", "y"], rows)
    data = surveyed(path, "y", group="who")
    parts = prepare(data, seed=0).splits
    counts = data.known_samples
    assert (len(parts.train), len(parts.validation)) == (counts.train, counts.validation)
    inputs, _ = arrays(parts.train)
    assert np.abs(inputs.mean(axis=0)).max() < 1e-6
    with pytest.raises(FaultError, match="samples for validation, not") as error:
        prepare(data.model_copy(update={"validation": 0.3}), seed=0)
    assert error.value.faults[0].path == ("samples",)


def test_classes_of_a_few_rows_are_trained_on(tmp_path: Path) -> None:
    counts = {"a": 40, "b": 30, "c": 1, "d": 1, "e": 2, "f": 2, "g": 3}
    kinds = [name for name, count in counts.items() for _ in range(count)]
    path = write(tmp_path / "t.csv", ["x", "y"], [[at / 7, kind] for at, kind in enumerate(kinds)])
    for seed in range(5):
        parts = prepare(surveyed(path, "y", validation=0.3), seed=seed).splits
        assert set(parts.train.targets.tolist()) == set(range(7))
        assert (len(parts.test), len(parts.validation)) == (12, 20)


@pytest.mark.parametrize(
    ("options", "option"), [({}, "test"), ({"test": 0, "validation": 0.3}, "validation")]
)
def test_more_classes_than_rows_to_train_on_are_a_fault(
    options: dict[str, float], option: str, tmp_path: Path
) -> None:
    rows = [[at / 7, f"kind {at % 35}"] for at in range(40)]
    path = write(tmp_path / "t.csv", ["x", "y"], rows)
    message = f"{option}: 40 samples of 35 classes are too few"
    with pytest.raises(FaultError, match=message) as error:
        surveyed(path, "y", task="classification", **options)
    assert error.value.faults[0].hint.startswith(f"write {option}: 0.125, or less, or merge")
    allowed = {"validation": 0, **options, option: 0.125}
    assert len(surveyed(path, "y", task="classification", **allowed).classes) == 35


@pytest.mark.parametrize(
    ("name", "cells", "counts"),
    [
        ("is_valid", "10", (40, 20, 0)),
        ("Is Test", ("TRUE", "False"), (36, 4, 20)),
        ("is_train", ("0", "1"), (36, 4, 20)),
        ("set", ("val", "train"), (40, 20, 0)),
    ],
)
def test_splits_are_named_or_told_by_0_and_1(
    name: str, cells: Sequence[str], counts: tuple[int, ...], tmp_path: Path
) -> None:
    rows = [[number / 7, "ab"[number % 2], cells[number % 3 > 0]] for number in range(60)]
    data = surveyed(write(tmp_path / "t.csv", ["x", "y", name], rows), "y", split=name)
    samples = data.known_samples
    assert (samples.train, samples.validation, samples.test) == counts


def test_a_column_of_other_cells_tells_no_splits(tmp_path: Path) -> None:
    rows = [[number / 7, "ab"[number % 2], number % 3] for number in range(60)]
    path = write(tmp_path / "t.csv", ["x", "y", "is_test"], rows)
    with pytest.raises(FaultError, match=r"t.csv:4: column is_test: .2. is not a split"):
        surveyed(path, "y", split="is_test")
    path = write(tmp_path / "t.csv", ["x", "y", "test"], rows)
    with pytest.raises(FaultError, match=r"t.csv:2: column test: .0. is not a split"):
        surveyed(path, "y", split="test")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [(["-1", "1"], [0, 1]), (["0", "1"], [0, 1]), (["False", "true"], [0, 1])],
)
def test_labels_are_columns_of_0_and_1_or_of_signs(
    cells: list[str], expected: list[int], tmp_path: Path
) -> None:
    rows = [[number / 7, cells[number % 2], cells[number // 30]] for number in range(60)]
    path = write(tmp_path / "t.csv", ["x", "p", "q"], rows)
    targets = {"tags": {"name": "labels", "columns": ["p", "q"]}}
    options = {"name": "table", "path": str(path), "targets": targets, "test": 0}
    data = TableSet.read(options).surveyed(Path(), seed=0)
    found = data.load("train", root=Path()).targets
    assert found[:2, 0].tolist() == expected
    assert found.sum(dim=0).tolist() == [30, 30]


def test_minus_1_beside_0_is_no_label(tmp_path: Path) -> None:
    """As in CheXpert, where it means that a radiologist was not sure."""
    rows = [[number / 7, number % 3 - 1, number % 2] for number in range(60)]
    targets = {"tags": {"name": "labels", "columns": ["p", "q"]}}
    path = write(tmp_path / "t.csv", ["x", "p", "q"], rows)
    options = {"name": "table", "path": str(path), "targets": targets}
    with pytest.raises(
        FaultError, match=r"t.csv:2: targets.tags: column p: .-1. is neither 0 nor 1"
    ):
        TableSet.read(options).surveyed(Path(), seed=0)


def test_a_missing_value_to_predict_is_a_fault(tmp_path: Path) -> None:
    rows = [[number, "NA" if number == 7 else number / 3] for number in range(60)]
    with pytest.raises(FaultError, match=r"t.csv:9: column y: the target is missing"):
        surveyed(write(tmp_path / "t.csv", ["x", "y"], rows), "y")


def test_a_value_to_predict_that_is_no_number_is_a_fault(tmp_path: Path) -> None:
    rows = [[number, "4..5" if number == 7 else number / 3] for number in range(60)]
    with pytest.raises(FaultError, match=r"t.csv:9: column y: 4..5 is not a number") as error:
        surveyed(write(tmp_path / "t.csv", ["x", "y"], rows), "y")
    assert error.value.faults[0].hint == "correct it, or write task: classification"


@pytest.mark.parametrize(
    ("cell", "message"), [("", "the time is missing"), ("soon", "soon is not a number")]
)
def test_times_that_order_nothing_are_faults(cell: str, message: str, tmp_path: Path) -> None:
    rows = [*ROWS[:5], [3, "p1", cell, "a"], *ROWS[5:]]
    with pytest.raises(FaultError, match=f"t.csv:7: column year: {message}"):
        surveyed(write(tmp_path / "t.csv", HEADER, rows), "y", time="year")


@pytest.mark.parametrize("rule", [{"group": "patient"}, {"time": "year"}, {}])
def test_validation_and_test_can_be_left_out(rule: dict[str, str], tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", HEADER, ROWS)
    parts = prepare(surveyed(path, "y", validation=0, test=0, **rule), seed=0).splits
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [80, 0, 0]


def test_a_class_that_training_lacks_is_named_by_line(tmp_path: Path) -> None:
    rows = [
        [number / 3, "ab"[number % 2], "train" if number < 50 else "test"] for number in range(60)
    ]
    rows[55][1] = "c"
    data = surveyed(write(tmp_path / "t.csv", ["x", "y", "part"], rows), "y", split="part")
    with pytest.raises(FaultError, match=r"t.csv:57: column y: class c is not in the training"):
        prepare(data, seed=0)
