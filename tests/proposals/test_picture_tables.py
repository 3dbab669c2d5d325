"""Pictures that a table names."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from cnnctl.errors import ExitCode
from tests.conftest import Cli, invoke
from tests.labelled_pictures import (
    ROWS,
    data_of,
    kinds,
    numbered,
    pictures,
    proposed,
    refused,
    table,
)

pytestmark = pytest.mark.usefixtures("own_folder")


def test_a_folder_with_a_table_trains_and_predicts(quick_cli: Cli) -> None:
    pictures("pets/bilder/猫 狗", numbered())
    paths = [f"bilder/猫 狗/{name}" for name in numbered()]
    table("pets/labels.csv", {"path": paths, "breed": kinds(), "note": ["-"] * ROWS})
    done = quick_cli("init", "pets")
    assert done.returncode == 0, done.stderr
    head = done.stdout.splitlines()
    assert head[0] == "pets: 60 pictures in 2 classes"
    assert "table: labels.csv, whose column path names the pictures" in head
    assert "target: breed (the only other column of classes, labels or values)" in head
    assert "columns not used: note" in head
    data = data_of("pets.yaml")
    assert data["name"] == "image_table"
    assert (data["path"], data["column"]) == ("pets/labels.csv", "path")
    assert (data["target"], data["task"], data["test"]) == ("breed", "classification", 0.15)
    trained = quick_cli("train", "pets.yaml", "train.epochs=1")
    assert trained.returncode == 0, trained.stderr
    assert quick_cli("eval", "runs/pets").returncode == 0
    answered = quick_cli("predict", "runs/pets", "pets/bilder", "--csv")
    assert answered.returncode == 0, answered.stderr
    assert len(answered.stdout.splitlines()) == 1 + ROWS


def test_a_table_needs_the_names_of_columns() -> None:
    pictures("pets", numbered())
    rows = [f"{name},{kind}" for name, kind in zip(numbered(), kinds(), strict=True)]
    Path("pets/labels.csv").write_text("\n".join(rows), encoding="utf-8")
    code, error = refused("pets")
    assert (code, "pets/labels.csv:1: has the path of a picture" in error) == (ExitCode.DATA, True)


@pytest.mark.parametrize(("kind", "file"), [("zip", "pets.zip"), ("gztar", "pets.tar.gz")])
def test_an_archive_is_read_in_place(kind: str, file: str) -> None:
    pictures("pets", numbered())
    table("pets/labels.csv", {"file": numbered(), "label": kinds()})
    shutil.make_archive("pets", kind, "pets")
    _, data = proposed(file)
    assert (data["path"], data.get("images")) == (file, None)


SKIES = ("sun", "sun|haze", "haze", "sun|云")


@pytest.mark.parametrize(
    ("columns", "monitor"),
    [
        ({"tags": [SKIES[at % 4] for at in range(ROWS)]}, "mAP"),
        ({"A": [at % 2 for at in range(ROWS)], "B": [at % 3 // 2 for at in range(ROWS)]}, "mAP"),
        ({"size": [10_000 + at / 7 for at in range(ROWS)]}, "loss"),
    ],
)
def test_labels_and_values_train_as_they_stand(
    columns: dict[str, list[object]], monitor: str
) -> None:
    pictures("sky/images", numbered())
    table("sky/table.csv", {"id": numbered(suffix=""), **columns})
    shutil.make_archive("sky", "zip", "sky")
    proposed("sky.zip")
    done = invoke("train", "x.yaml", "train.epochs=1", "model.width=4")
    assert done.exit_code == 0, done.output
    assert f"best epoch 1: validation {monitor} " in done.output


@pytest.mark.long
def test_several_targets_get_a_head_each(cli: Cli) -> None:
    pictures("pets/images", numbered())
    columns: dict[str, Sequence[object]] = {
        "breed": kinds(),
        "type": [("wild; tame", "wild", "tame")[at % 3] for at in range(ROWS)],  # reserved by torch
        "weight (kg)": [3 * (at % 60) / 255 for at in range(ROWS)],
        "seen": ["rarely" if at in (7, 31) else "often" for at in range(ROWS)],
    }
    table("pets/labels.csv", {"file": numbered(), **columns})
    report, data = proposed("pets", "--target", ",".join(columns))
    assert "pets: 60 pictures with 4 targets" in report
    assert "classes of breed: 2 (cat 30, dog 30)" in report
    assert "labels of type_target: 2 (tame 40, wild 40)" in report
    assert "values of weight_kg: 0 to 0.694118, median 0.347059" in report
    assert "balance: often has 29.0 times as many pictures as rarely\n" in report
    assert data["targets"] == {
        "breed": "class",
        "type_target": {"name": "labels", "column": "type"},
        "weight_kg": {"name": "values", "columns": ["weight (kg)"]},
        "seen": {"name": "class", "classes": ["often", "rarely"]},
    }
    text = Path("x.yaml").read_text(encoding="utf-8")
    assert "seen: not weighted, as training may lack rarely" in text
    assert "  name: adamw" in text  # since mse has no bound
    trained = cli("train", "x.yaml", "train.epochs=1", "model.width=4")
    assert trained.returncode == 0, trained.stderr
    measured = json.loads(cli("eval", "runs/x", "--json").stdout)
    assert measured["heads"].keys() == data["targets"].keys()
    answered = cli("predict", "runs/x", "pets/images/007.png", "--jsonl")
    assert answered.returncode == 0, answered.stderr


def test_frozen_features_are_shared_by_heads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures("pets", numbered())
    table("pets/labels.csv", {"file": numbered(), "breed": kinds(), "on": [*map(str, kinds())]})
    proposed("pets", "--target", "breed,on", "--pretrained")
    model = yaml.safe_load(Path("x.yaml").read_text(encoding="utf-8"))["model"]
    assert (model["weights"], model["freeze"]) == ("DEFAULT", "backbone")
    assert [*model["heads"]] == ["breed", "on"]


def test_a_parquet_table_is_as_good() -> None:
    polars = pytest.importorskip("polars")
    pictures("pets", numbered())
    columns = {"file": numbered(), "label": kinds()}
    polars.DataFrame(columns).write_parquet("pets/labels.parquet")
    _, data = proposed("pets")
    assert (data["path"], data["column"], data["target"]) == (
        "pets/labels.parquet",
        "file",
        "label",
    )


def test_columns_of_splits_and_groups_are_kept_to() -> None:
    pictures("pets", numbered())
    splits = ["train"] * 40 + ["val"] * 10 + ["test"] * 10
    patients = [f"p{at // 3}" for at in range(ROWS)]
    columns = {"file": numbered(), "patient_id": patients, "label": kinds()}
    table("pets/labels.csv", columns)
    report, data = proposed("pets")
    assert data["group"] == "patient_id"
    assert "groups: from column patient_id; each stays in one split" in report
    table("pets/labels.csv", {**columns, "Split": splits})
    report, data = proposed("pets")
    assert (data["split"], data.keys() & {"group", "test", "validation"}) == ("Split", set())
    assert "warning: 2 cells of patient_id in several splits, which inflates the results" in report
    row = ["cat", "20", "5", "5"]
    assert row in [line.split() for line in report.splitlines()]


def test_columns_of_bits_tell_splits() -> None:
    pictures("pets", numbered())
    labels = {name: [at >> bit & 1 for at in range(ROWS)] for bit, name in enumerate("abc")}
    splits = {
        "is_train": [at < 40 for at in range(ROWS)],
        "is_test": [at >= 50 for at in range(60)],
    }
    table("pets/labels.csv", {"file": numbered(), **labels, **splits})
    report, data = proposed("pets")
    assert data["split"] == "is_test"
    assert data["targets"] == {"labels": {"name": "labels", "columns": ["a", "b", "c"]}}
    assert "splits: from column is_test" in report


def test_what_is_missing_or_broken_is_named_and_skipped() -> None:
    names = numbered(100)
    pictures("pets", [*names[1:], "extra.png"])
    Path("pets/050.png").write_bytes(b"no picture")
    table("pets/labels.csv", {"file": names, "label": kinds(100)})
    report, data = proposed("pets")
    assert "warning: 1 picture in the table is missing and will be skipped\n    000.png\n" in report
    assert "warning: 1 picture cannot be decoded and will be skipped\n    050.png: " in report
    assert "    extra.png: is not in labels.csv" in report
    assert data["on_error"] == "skip"


def in_tables(folder: str, counts: dict[str, int]) -> dict[str, list[str]]:
    """Pictures, and a table of those of each split."""
    names, tables = numbered(), dict[str, list[str]]()
    pictures(f"{folder}/images", names)
    for split, count in counts.items():
        tables[split], names = names[:count], names[count:]
        labels = kinds(count)
        table(f"{folder}/{split}.csv", {"file": tables[split], "label": labels})
    return tables


def test_a_table_for_each_split_is_kept_to(cli: Cli) -> None:
    in_tables("pets", {"train": 40, "val": 10, "test": 10})
    report, data = proposed("pets")
    assert "splits: train.csv for training; test.csv, val.csv" in report
    assert data["path"] == "pets/train.csv"
    assert data["tables"] == {"test": "pets/test.csv", "validation": "pets/val.csv"}
    assert data.keys().isdisjoint({"test", "validation"})
    assert "not used" not in report
    trained = cli("train", "x.yaml", "train.epochs=1", "model.width=4")
    assert trained.returncode == 0, trained.stderr
    assert "image_table: 40 train, 10 validation, 10 test" in trained.stdout
    assert cli("eval", "runs/x").returncode == 0
    assert cli("predict", "runs/x", "pets/test.csv", "--jsonl").returncode == 0
    shutil.copytree("pets", "elsewhere/pets")
    moved = cli("eval", "runs/x", "--data", "elsewhere/pets/train.csv", "--json")
    assert json.loads(moved.stdout)["samples"] == 10


def test_a_test_table_does_not_stand_in_for_validation() -> None:
    in_tables("pets", {"train": 45, "test": 15})
    report, data = proposed("pets")
    assert data["tables"] == {"test": "pets/test.csv"}
    assert (data["validation"], "test" in data) == (0.2, False)
    assert ["dog", "22", "7"] in [line.split() for line in report.splitlines()]


def test_a_test_table_without_targets_is_no_test_split(cli: Cli) -> None:
    for split, count in (("train", 45), ("test", 15)):
        names = [f"{split}{at}.png" for at in range(count)]
        pictures(f"pets/{split}_images", names)
        answers = {"label": kinds(count)} if split == "train" else {}
        table(f"pets/{split}.csv", {"file": names, **answers})
    report, data = proposed("pets")
    assert "note: test.csv has no column label, so it is no test split; use it with" in report
    assert data.keys().isdisjoint({"tables", "images"})
    assert data["test"] == 0.15
    assert cli("train", "x.yaml", "train.epochs=1", "model.width=4").returncode == 0
    answered = cli("predict", "runs/x", "pets/test.csv", "--jsonl")
    assert answered.returncode == 0, answered.stderr
    assert len(answered.stdout.splitlines()) == 15


def test_pictures_of_splits_may_be_in_folders_of_their_own() -> None:
    for split, count in (("train", 40), ("test", 20)):
        names = [f"{split}{at}.png" for at in range(count)]
        pictures(f"pets/images/{split}", names)
        table(f"pets/{split}.csv", {"file": names, "label": kinds(count)})
    _, data = proposed("pets", "--target", "label")
    assert (data["images"], data["tables"]) == ("pets/images", {"test": "pets/test.csv"})


def test_class_folders_with_splits_come_first() -> None:
    for split in ("train", "test"):
        for kind in ("cat", "dog"):
            pictures(f"pets/{split}/{kind}", [f"{split}{kind}{at}.png" for at in range(9)])
    paths = sorted(str(path.relative_to("pets")) for path in Path("pets").rglob("*.png"))
    table("pets/all.csv", {"path": paths, "age": [at / 7 for at in range(len(paths))]})
    _, data = proposed("pets")
    assert data["name"] == "image_folder"
    _, data = proposed("pets", "--target", "age")
    assert (data["name"], data["target"]) == ("image_table", "age")


def test_bad_tables_are_refused() -> None:
    pictures("pets", numbered())
    columns = {"file": numbered(), "label": kinds()}
    table("pets/labels.csv", columns)
    code, error = refused("pets", "--target", "lable")
    assert (code, "has no column lable" in error) == (ExitCode.DATA, True)
    assert "did you mean label?" in error
    code, error = refused("pets", "--target", "file")
    assert (code, "column file names the samples" in error) == (ExitCode.DATA, True)
    table("pets/labels.csv", {**columns, "label": ["cat"] * ROWS})
    code, error = refused("pets")
    assert (code, "no column to predict besides" in error) == (ExitCode.DATA, True)
    code, error = refused("pets", "--target", "label")
    assert (code, "only one class, cat" in error) == (ExitCode.DATA, True)
    table("pets/labels.csv", {**columns, "label": [*kinds()[:-1], "owl"]})
    code, error = refused("pets")
    assert (code, "class owl has 1 of the 3 pictures" in error) == (ExitCode.DATA, True)
    table("pets/labels.csv", {**columns, "file": [f"other{name}" for name in numbered()]})
    code, error = refused("pets")
    assert (code, "no column of labels.csv names the pictures" in error) == (ExitCode.DATA, True)
    Path("pets/labels.csv").write_text("file,label\n000.png,cat\n001.png\n", encoding="utf-8")
    code, error = refused("pets")
    assert (code, "pets/labels.csv:3" in error) == (ExitCode.DATA, True)


def test_a_table_of_numbers_beside_pictures_is_a_table() -> None:
    pictures("mixed", numbered(5))
    table("mixed/rows.csv", {"a": range(ROWS), "b": [at * at for at in range(ROWS)], "y": kinds()})
    _, data = proposed("mixed/rows.csv")
    assert data["name"] == "table"
