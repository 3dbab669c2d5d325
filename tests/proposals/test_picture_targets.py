"""What is to be predicted of pictures that a table names."""

from pathlib import Path
from typing import Any

import pytest

from cnnctl.proposals.targets import separator_of
from tests.labelled_pictures import ROWS, kinds, numbered, pictures, proposed, table

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ({"kind": "class", "uid": "identifier", "caption": "prose", "device": "constant"}, "kind"),
        ({"Finding Labels": "class", "Age": "number", "Sex": "class"}, "Finding Labels"),
        ({"ClassId": "class", "Width": "number"}, "ClassId"),
        ({"is_male": "bit", "is_old": "bit", "breed": "class"}, "breed"),
        ({"class_cat": "bit", "class_dog": "bit", "age": "number"}, "labels"),
    ],
)
def test_the_target_is_a_column_that_tells_pictures_apart(
    columns: dict[str, str], target: str
) -> None:
    cells: dict[str, list[Any]] = {
        "identifier": [f"u{7 * at % ROWS}" for at in range(ROWS)],
        "prose": [f"a {kind} of {at} and a {at}" for at, kind in enumerate(kinds())],
        "constant": ["A1"] * ROWS,
        "class": kinds(),
        "number": [at / 7 for at in range(ROWS)],
        "bit": [int(at % 3 == 0) for at in range(ROWS)],
    }
    pictures("pets", numbered())
    table("pets/t.csv", {"file": numbered(), **{name: cells[columns[name]] for name in columns}})
    report, data = proposed("pets")
    assert (data.get("target") or next(iter(data["targets"]))) == target
    if target == "labels":
        assert "target: class_cat, class_dog (2 columns of 0 and 1; choose another" in report


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
        labels = {"name": "labels", "separator": separator}
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
        (["a cat on a mat", "a mat", "on a cat", "a cat", "cat on mat", "mat"], ""),
        (["clear haze", "clear", "haze", "haze sun", "sun"], " "),
    ],
)
def test_names_are_labels_if_they_recur(cells: list[str], expected: str) -> None:
    assert separator_of(cells) == expected


def test_columns_of_bits_are_labels() -> None:
    pictures("scans", numbered())
    bits = {name: [at >> bit & 1 for at in range(ROWS)] for bit, name in enumerate(("A", "B", "C"))}
    table("scans/findings.csv", {"file": numbered(), **bits})
    report, data = proposed("scans")
    assert "exactly one label" not in report
    assert data["targets"] == {"labels": {"name": "labels", "columns": ["A", "B", "C"]}}


def test_columns_of_signs_are_labels() -> None:
    """As CelebA's attributes are written: -1 for no, 1 for yes."""
    pictures("faces", numbered())
    names = {"Smiling": 0, "Wavy_Hair": 1, "Young": 2}
    signs = {name: [2 * (at >> bit & 1) - 1 for at in range(ROWS)] for name, bit in names.items()}
    table("faces/list_attr.csv", {"image_id": numbered(), **signs})
    report, data = proposed("faces")
    assert "target: Smiling, Wavy_Hair, Young (3 columns of -1 and 1; choose another" in report
    assert data["targets"] == {"labels": {"name": "labels", "columns": [*names]}}
    assert "60 pictures with 3 labels" in report


def test_labels_of_which_each_picture_has_one_are_told_of() -> None:
    pictures("scans", numbered())
    bits = {name: [int(at % 3 == bit) for at in range(ROWS)] for bit, name in enumerate("ABC")}
    table("scans/findings.csv", {"file": numbered(), **bits})
    report, _ = proposed("scans")
    assert "note: each picture has exactly one label; consider one column of" in report


def test_numbers_are_values() -> None:
    pictures("cells", numbered())
    sizes = [at / 7 for at in range(ROWS)]
    table("cells/sizes.csv", {"file": numbered(), "kind": kinds(), "area": sizes})
    report, data = proposed("cells")
    assert (data["target"], data["task"]) == ("area", "regression")
    assert "values: 0 to 8.42857, median 4.21429" in report
    _, data = proposed("cells", "--target", "kind")
    assert (data["target"], data["task"]) == ("kind", "classification")
