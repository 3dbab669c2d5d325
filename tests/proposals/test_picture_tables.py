"""Pictures that a table names."""

import csv
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from cnnctl.errors import ExitCode
from cnnctl.proposals.targets import separator_of
from tests.conftest import Cli, invoke

ROWS = 60


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.chdir(tmp_path)


def pictures(folder: str, names: Sequence[str]) -> None:
    """Pictures whose colour follows from their position."""
    random = np.random.default_rng(0)
    for at, name in enumerate(names):
        pixels = random.integers(0, 60, (8, 8, 3)) + np.array([130 * (at % 2), 0, 3 * (at % 60)])
        file = Path(folder, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(file)


def numbered(count: int = ROWS, *, suffix: str = ".png") -> list[str]:
    return [f"{at:03}{suffix}" for at in range(count)]


def table(file: str, columns: Mapping[str, Sequence[object]]) -> None:
    with Path(file).open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def kinds(count: int = ROWS) -> list[str]:
    return [("cat", "dog")[at % 2] for at in range(count)]


def data_of(file: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(Path(file).read_text(encoding="utf-8"))["data"]
    return data


def proposed(*arguments: str) -> tuple[str, dict[str, Any]]:
    """What `init` prints, and the data section that it writes."""
    Path("x.yaml").unlink(missing_ok=True)
    done = invoke("init", *arguments, "-o", "x.yaml")
    assert done.exit_code == 0, done.output
    assert invoke("check", "x.yaml").stdout == "x.yaml: no problems found\n"
    return done.stdout, data_of("x.yaml")


def refused(*arguments: str) -> tuple[int, str]:
    done = invoke("init", *arguments, "-o", "x.yaml")
    assert not Path("x.yaml").exists()
    return done.exit_code, done.stderr


def test_a_folder_with_a_table_trains_and_predicts(cli: Cli) -> None:
    pictures("pets/bilder/猫 狗", numbered())
    paths = [f"bilder/猫 狗/{name}" for name in numbered()]
    table("pets/labels.csv", {"path": paths, "breed": kinds(), "note": ["-"] * ROWS})
    done = cli("init", "pets")
    assert done.returncode == 0, done.stderr
    head = done.stdout.splitlines()
    assert head[0] == "pets: 60 pictures in 2 classes"
    assert "table: labels.csv, whose column path names the pictures" in head
    assert "target: breed, the only other column" in head
    assert "columns not used: note" in head
    data = data_of("pets.yaml")
    assert data["name"] == "image_table"
    assert (data["path"], data["column"]) == ("pets/labels.csv", "path")
    assert (data["target"], data["task"], data["test"]) == ("breed", "classification", 0.15)
    trained = cli("train", "pets.yaml", "train.epochs=1")
    assert trained.returncode == 0, trained.stderr
    assert cli("eval", "runs/pets").returncode == 0
    answered = cli("predict", "runs/pets", "pets/bilder", "--csv")
    assert answered.returncode == 0, answered.stderr
    assert len(answered.stdout.splitlines()) == 1 + ROWS


def test_a_table_has_its_pictures_beside_it() -> None:
    pictures("pets/images", numbered())
    table("pets/labels.csv", {"id": numbered(suffix=""), "label": kinds()})
    _, data = proposed("pets/labels.csv")
    assert (data["path"], data["images"], data["column"]) == (
        "pets/labels.csv",
        "pets/images",
        "id",
    )


def test_of_several_tables_the_one_that_names_most_pictures_is_taken() -> None:
    """As competitions of Kaggle have it."""
    pictures("dogs/train", numbered(suffix=".jpg"))
    pictures("dogs/test", [f"t{name}" for name in numbered(9, suffix=".jpg")])
    table("dogs/train.csv", {"id": numbered(suffix=""), "label": kinds()})
    table("dogs/test.csv", {"id": [f"t{name}" for name in numbered(9, suffix="")]})
    report, data = proposed("dogs")
    assert (data["path"], data["images"]) == ("dogs/train.csv", "dogs/train")
    assert "test.csv: is another table than train.csv" in report


def test_an_archive_is_read_in_place() -> None:
    pictures("pets", numbered())
    table("pets/labels.csv", {"file": numbered(), "label": kinds()})
    shutil.make_archive("pets", "zip", "pets")
    _, data = proposed("pets.zip")
    assert (data["path"], data.get("images")) == ("pets.zip", None)


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


@pytest.mark.parametrize("separator", ["|", ";", ",", " "])
def test_separated_names_are_labels(separator: str) -> None:
    pictures("sky", numbered())
    tags = [
        separator.join(tag for bit, tag in enumerate(("haze", "云", "sun")) if at + 1 >> bit & 1)
        for at in range(ROWS)
    ]
    table("sky/tags.csv", {"image": numbered(), "tags": tags})
    report, data = proposed("sky")
    if separator == ";":  # which is the default
        assert (data["target"], data["task"]) == ("tags", "multilabel")
    else:
        labels = {"name": "labels", "column": "tags", "separator": separator}
        assert data["targets"] == {"tags": labels}
    assert report.startswith("sky: 60 pictures with 3 labels\n")
    assert "loss: bce_with_logits" in Path("x.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["golden retriever", "labrador retriever", "poodle"], ""),
        (["a;b", "a", "b", ""], ";"),
        (["a|b c", "b c", "a"], "|"),
        (["a,,b", "a", "b", "c"], ""),
        (["1", "2", "3"], ""),
        (["clear haze", "clear", "haze", "haze sun", "sun"], " "),
    ],
)
def test_names_are_labels_if_they_recur(cells: list[str], expected: str) -> None:
    assert separator_of(cells) == expected


def test_columns_of_bits_are_labels() -> None:
    pictures("scans", numbered())
    bits = {name: [at >> bit & 1 for at in range(ROWS)] for bit, name in enumerate(("A", "B", "C"))}
    table("scans/findings.csv", {"file": numbered(), **bits})
    _, data = proposed("scans")
    assert data["targets"] == {"labels": {"name": "labels", "columns": ["A", "B", "C"]}}


def test_numbers_are_values() -> None:
    pictures("cells", numbered())
    sizes = [at / 7 for at in range(ROWS)]
    table("cells/sizes.csv", {"file": numbered(), "kind": kinds(), "area": sizes})
    report, data = proposed("cells")
    assert (data["target"], data["task"]) == ("area", "regression")
    assert "values: 0 to 8.42857, median 4.21429" in report
    _, data = proposed("cells", "--target", "kind")
    assert (data["target"], data["task"]) == ("kind", "classification")


def test_columns_of_splits_and_groups_are_kept_to() -> None:
    pictures("pets", numbered())
    splits = ["train"] * 40 + ["val"] * 10 + ["test"] * 10
    patients = [f"p{at // 3}" for at in range(ROWS)]
    columns = {"file": numbered(), "patient_id": patients, "label": kinds()}
    table("pets/labels.csv", columns)
    report, data = proposed("pets")
    assert data["group"] == "patient_id"
    assert "groups: from column patient_id; none will be in two splits" in report
    table("pets/labels.csv", {**columns, "Split": splits})
    report, data = proposed("pets")
    assert (data["split"], data.keys() & {"group", "test", "validation"}) == ("Split", set())
    row = ["cat", "20", "5", "5"]
    assert row in [line.split() for line in report.splitlines()]


def test_what_is_missing_or_broken_is_named_and_skipped() -> None:
    names = numbered(100)
    pictures("pets", [*names[1:], "extra.png"])
    Path("pets/050.png").write_bytes(b"no picture")
    table("pets/labels.csv", {"file": names, "label": kinds(100)})
    report, data = proposed("pets")
    assert "warning: 2 pictures cannot be decoded and will be skipped" in report
    assert "    000.png: no such file" in report
    assert "    extra.png: is not in labels.csv" in report
    assert data["on_error"] == "skip"


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
    assert (code, "no column that tells pictures apart" in error) == (ExitCode.DATA, True)
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


def test_an_archive_with_several_tables_is_to_be_unpacked() -> None:
    pictures("pets", numbered())
    table("pets/a.csv", {"file": numbered(), "label": kinds()})
    table("pets/b.csv", {"file": numbered(), "label": kinds()})
    with zipfile.ZipFile("pets.zip", "w") as archive:
        for path in Path("pets").iterdir():
            archive.write(path)
    code, error = refused("pets.zip")
    assert (code, "holds 2 tables" in error) == (ExitCode.DATA, True)
    assert "unpack the one to use" in error


def test_a_table_of_numbers_beside_pictures_is_a_table() -> None:
    pictures("mixed", numbered(5))
    table("mixed/rows.csv", {"a": range(ROWS), "b": [at * at for at in range(ROWS)], "y": kinds()})
    _, data = proposed("mixed/rows.csv")
    assert data["name"] == "table"
