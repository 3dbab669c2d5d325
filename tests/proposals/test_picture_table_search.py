"""Which table names the pictures, and where they are."""

import shutil
import zipfile
from pathlib import Path

import pytest

from cnnctl.errors import ExitCode
from cnnctl.proposals.picture_table_search import SAMPLED
from tests.labelled_pictures import ROWS, kinds, numbered, pictures, proposed, refused, table

pytestmark = pytest.mark.usefixtures("own_folder")


def test_a_table_has_its_pictures_beside_it() -> None:
    pictures("pets/images", numbered())
    table("pets/labels.csv", {"id": numbered(suffix=""), "label": kinds()})
    _, data = proposed("pets/labels.csv")
    assert (data["path"], data["images"], data["column"]) == (
        "pets/labels.csv",
        "pets/images",
        "id",
    )


def test_of_several_tables_the_one_with_targets_is_taken() -> None:
    """As competitions of Kaggle have it, with more to answer for than to learn from."""
    unknown = [f"t{name}" for name in numbered(2 * ROWS, suffix="")]
    pictures("dogs/train", numbered(suffix=".jpg"))
    pictures("dogs/test", [f"{name}.jpg" for name in unknown])
    table("dogs/labels.csv", {"id": numbered(suffix=""), "breed": kinds()})
    table("dogs/sample_submission.csv", {"id": unknown, "breed": kinds(2 * ROWS)})
    table("dogs/test.csv", {"id": unknown})
    report, data = proposed("dogs")
    assert data["path"] == "dogs/labels.csv"
    assert "images" not in data  # so that test.csv can be answered for
    assert "use it with `cnnctl predict`" in report
    assert "    sample_submission.csv: is another table than labels.csv" in report
    assert "    test.csv: is another table than labels.csv" in report


def test_pictures_of_equal_names_are_not_taken_for_those_of_another_table() -> None:
    for folder in ("train", "test"):
        pictures(f"dogs/{folder}", numbered(suffix=".jpg"))
    table("dogs/labels.csv", {"id": numbered(suffix=""), "breed": kinds()})
    table("dogs/test.csv", {"id": numbered(suffix="")})
    report, data = proposed("dogs")
    assert data["images"] == "dogs/train"
    assert "test split; use `cnnctl predict` on the folder of its pictures" in report


def test_of_several_tables_the_one_with_the_named_target_is_taken() -> None:
    pictures("pets", numbered())
    table("pets/ages.csv", {"file": numbered(40), "age": [at / 7 for at in range(40)]})
    table("pets/kinds.csv", {"file": numbered(), "kind": kinds()})
    _, data = proposed("pets")
    assert (data["path"], data["target"]) == ("pets/kinds.csv", "kind")
    _, data = proposed("pets", "--target", "age")
    assert (data["path"], data["target"]) == ("pets/ages.csv", "age")


def test_tables_of_more_pictures_are_told_of() -> None:
    pictures("pets", numbered())
    for name, part in {"labels": slice(35), "more": slice(35, ROWS)}.items():
        table(f"pets/{name}.csv", {"file": numbered()[part], "label": kinds()[part]})
    report, data = proposed("pets")
    assert (data["path"], data["test"]) == ("pets/labels.csv", 0.15)
    assert "note: more.csv could be appended to it, with a column named split" in report


def test_tables_that_share_pictures_are_no_splits() -> None:
    pictures("pets", numbered())
    for split, part in {"train": slice(ROWS), "val": slice(40, ROWS)}.items():
        table(f"pets/{split}.csv", {"file": numbered()[part], "label": kinds()[part]})
    report, data = proposed("pets")
    assert "note: val.csv is no validation split: 040.png is in train.csv, too" in report
    assert "tables" not in data


def test_a_table_may_be_in_a_folder() -> None:
    pictures("pets/images", numbered())
    Path("pets/meta").mkdir()
    table("pets/meta/labels.csv", {"file": numbered(), "label": kinds()})
    _, data = proposed("pets")
    assert (data["path"], data["images"]) == ("pets/meta/labels.csv", "pets")


@pytest.mark.parametrize("folder", ["/home/me/pets/", "C:\\pets\\"])
def test_paths_that_lead_elsewhere_are_shown(folder: str) -> None:
    pictures("pets/images", numbered())
    table("pets/labels.csv", {"path": [folder + name for name in numbered()], "label": kinds()})
    code, error = refused("pets")
    assert code == ExitCode.DATA
    assert "pets: the paths in column path of labels.csv lead elsewhere" in error
    assert "write images/000.png instead of " in error


def test_a_table_of_pictures_that_are_not_there_is_refused() -> None:
    table("labels.csv", {"path": [f"images/{name}" for name in numbered()], "label": kinds()})
    code, error = refused("labels.csv")
    assert code == ExitCode.DATA
    assert "labels.csv: column path names pictures that do not exist" in error
    assert "put images/000.png next to the table" in error


@pytest.mark.parametrize("source", ["moles", "moles/meta.csv", "moles.zip"])
def test_pictures_may_be_in_folders_of_parts(source: str) -> None:
    """As those of HAM10000 and ChestX-ray14, whose tables have names of files alone."""
    pictures("moles/images_part_1", numbered()[:40])
    pictures("moles/images_part_2", numbered()[40:])
    columns = {"image_id": numbered(suffix=""), "dx": kinds(), "age": range(ROWS)}
    table("moles/meta.csv", columns)
    shutil.make_archive("moles", "zip", "moles")
    report, data = proposed(source)
    assert report.startswith(f"{source}: 60 pictures in 2 classes")
    assert "missing" not in report
    assert (data["name"], data["column"], data["target"]) == ("image_table", "image_id", "dx")
    assert data.get("images") is None


def test_folders_may_alternate_with_the_rows() -> None:
    """An even step of two would meet one folder alone."""
    count = 2 * SAMPLED
    pictures("moles/part_0", numbered(count)[::2])
    pictures("moles/part_1", numbered(count)[1::2])
    table("moles/meta.csv", {"image": numbered(count), "kind": kinds(count)})
    report, _ = proposed("moles")
    assert "missing" not in report


@pytest.mark.parametrize(
    ("source", "folder"),
    [("pets", "train"), ("pets/labels.csv", "train"), ("pets/test.csv", "test")],
)
def test_the_same_names_in_another_folder_mean_other_pictures(source: str, folder: str) -> None:
    for name in ("train", "test"):
        pictures(f"pets/{name}", numbered())
    for name in ("labels", "test"):
        table(f"pets/{name}.csv", {"id": numbered(suffix=""), "label": kinds()})
    _, data = proposed(source)
    assert data["images"] == f"pets/{folder}"


def test_class_folders_may_hold_tables() -> None:
    """As those of the German traffic signs, with boxes around them."""
    for kind in ("cat", "dog"):
        pictures(f"pets/{kind}", numbered(20))
        table(f"pets/{kind}/boxes.csv", {"file": numbered(20), "left": range(0, 40, 2)})
    _, data = proposed("pets")
    assert data["name"] == "image_folder"


def test_a_table_to_train_on_that_cannot_be_read_is_not_replaced() -> None:
    pictures("pets", numbered())
    table("pets/test.csv", {"file": numbered(), "label": kinds()})
    Path("pets/train.csv").write_text("file,label\n000.png,cat\n001.png\n", encoding="utf-8")
    code, error = refused("pets")
    assert (code, "pets/train.csv:3" in error) == (ExitCode.DATA, True)


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
