"""`cnnctl check --data`: what training would meet, told before it starts."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import Cli
from tests.data.pictures.test_similarity import photo, saved

PICTURES = """\
data: {name: image_folder, path: pets, batch_size: 8}
model: {layers: [flatten, linear: 8, relu, linear: classes]}
optimizer: sgd
train: {epochs: 3, device: cpu}
"""
TABLE = """\
data: {name: table, path: people.csv, target: ill, split: part, batch_size: 4}
model: {layers: [linear: classes]}
optimizer: sgd
train: {epochs: 3, device: cpu}
"""
SPLIT = {
    **{f"train/{name}": 10 for name in ("cat", "dog")},
    **{f"val/{name}": 4 for name in ("cat", "dog")},
    **{f"test/{name}": 4 for name in ("cat", "dog")},
}


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Pictures in three splits, all different, and an experiment beside them."""
    root, seed = tmp_path / "pets", 0
    for folder, count in SPLIT.items():
        (root / folder).mkdir(parents=True)
        for number in range(count):
            seed += 1
            photo(seed).save(root / folder / f"{number}.png")
    (tmp_path / "pets.yaml").write_text(PICTURES, encoding="utf-8")
    return root


def checked(cli: Cli, file: str, *, code: int = 0) -> dict[str, Any]:
    """The JSON of a file's check."""
    done = cli("check", "--data", file, "--json")
    assert done.returncode == code, done.stderr
    [found] = json.loads(done.stdout)
    return dict(found)


def found_by(result: dict[str, Any], check: str) -> dict[str, Any]:
    [found] = [each for each in result["data"] if each["check"] == check]
    return dict(found)


@pytest.mark.long
def test_sound_data_has_no_problems_and_nothing_is_kept(cli: Cli, pets: Path) -> None:
    before = sorted(pets.parent.rglob("*"))
    done = cli("check", "--data", "pets.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("pets.yaml: image_folder, samples of 3x96x96\n")
    assert "all samples read: 20 train, 8 validation, 8 test" in done.stdout
    assert done.stdout.endswith("pets.yaml: no problems found\n")
    assert sorted(pets.parent.rglob("*")) == before


def test_leaks_between_folders_are_named_with_both_files(cli: Cli, pets: Path) -> None:
    shutil.copy(pets / "train" / "cat" / "3.png", pets / "test" / "cat" / "copy.png")
    shutil.copy(pets / "val" / "dog" / "1.png", pets / "test" / "cat" / "wrong.png")
    with Image.open(pets / "train" / "dog" / "5.png") as image:
        saved(image, 60).save(pets / "val" / "dog" / "again.png")
        image.resize((48, 48)).resize((96, 96)).save(pets / "test" / "dog" / "small.png")
    result = checked(cli, "pets.yaml", code=3)
    identical = found_by(result, "identical samples")
    root = "test {0}/test/cat/{1}.png = {2} {0}/{3}"
    assert identical["named"] == [
        root.format(pets, "copy", "train", "train/cat/3.png"),
        root.format(pets, "wrong", "validation", "val/dog/1.png"),
    ]
    assert identical["verdict"] == "error"
    assert found_by(result, "near copies")["named"] == [
        f"validation {pets}/val/dog/again.png ~ train {pets}/train/dog/5.png",
        f"test {pets}/test/dog/small.png ~ train {pets}/train/dog/5.png",
    ]
    assert found_by(result, "contradictions")["named"] == [
        root.format(pets, "wrong", "validation", "val/dog/1.png")
    ]
    done = cli("check", "--data", "pets.yaml")
    assert done.returncode == 3
    assert all(f"    {name}\n" in done.stdout for name in identical["named"])
    fault, hint = done.stderr.splitlines()
    message = "1 of test in train, 1 of test in validation"
    assert fault == f"pets.yaml:1:7: data: identical samples in two splits: {message}"
    assert hint.startswith("    they inflate the results; keep each in one split")


def test_copies_that_the_cut_would_tear_apart_are_kept_together(cli: Cli, tmp_path: Path) -> None:
    for number in range(40):
        folder = tmp_path / "pets" / ("cat" if number % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        photo(number // 4, side=24).save(folder / f"{number}.png")
    (tmp_path / "pets.yaml").write_text(PICTURES.replace("8}", "8, validation: 0.2}"), "utf-8")
    assert found_by(checked(cli, "pets.yaml", code=3), "identical samples")["verdict"] == "error"
    text = PICTURES.replace("8}", "8, validation: 0.2, group_copies: true}")
    (tmp_path / "pets.yaml").write_text(text, "utf-8")
    assert found_by(checked(cli, "pets.yaml"), "identical samples")["verdict"] == "ok"


def test_every_broken_picture_of_all_splits_is_named(cli: Cli, pets: Path) -> None:
    broken = [pets / "train" / "cat" / f"broken{n}.png" for n in range(30)]
    broken += [pets / "test" / "dog" / f"broken{n}.png" for n in range(3)]
    for path in broken:
        path.write_bytes(b"none")
    result = checked(cli, "pets.yaml", code=3)
    places = {error["place"] for error in result["errors"]}
    assert places == {*map(str, broken), str(pets)}
    done = cli("check", "--data", "pets.yaml")
    assert done.returncode == 3
    lines = [line for line in done.stderr.splitlines() if not line.startswith(" ")]
    assert len(lines) == 20
    assert lines[-1] == "and 16 more errors"


def test_skipped_pictures_are_warned_of(cli: Cli, pets: Path) -> None:
    (pets / "train" / "cat" / "broken.png").write_bytes(b"none")
    text = PICTURES.replace("8}", "8, on_error: skip, max_skipped: 0.2}")
    (pets.parent / "pets.yaml").write_text(text, encoding="utf-8")
    data = found_by(checked(cli, "pets.yaml"), "data")
    assert (data["verdict"], data["named"]) == ("warning", ["train/cat/broken.png"])
    assert cli("check", "--data", "pets.yaml").stdout.endswith("pets.yaml: 1 warning\n")


ROWS = [f"{n},{n * n % 7}.5,{'yes' if n % 2 else 'no'},train" for n in range(12)]
ROWS += [f"{n},{n * n % 7}.5,{'yes' if n % 2 else 'no'},test" for n in range(12, 18)]


def write_table(folder: Path, rows: list[str]) -> None:
    text = "\n".join(["age,dose,ill,part", *rows])
    (folder / "people.csv").write_text(f"{text}\n", encoding="utf-8")
    (folder / "people.yaml").write_text(TABLE, encoding="utf-8")


def test_equal_rows_in_two_splits_are_warned_of_by_their_lines(cli: Cli, tmp_path: Path) -> None:
    write_table(tmp_path, [*ROWS, "3,2.5,yes,test", "4,2.5,yes,test"])
    result = checked(cli, "people.yaml")
    file = tmp_path / "people.csv"
    leaks = [f"test {file}:20 = train {file}:5", f"test {file}:21 = train {file}:6"]
    identical = found_by(result, "identical samples")
    assert (identical["verdict"], identical["named"]) == ("warning", leaks)
    assert found_by(result, "contradictions")["named"] == leaks[1:]
    write_table(tmp_path, ROWS)
    assert found_by(checked(cli, "people.yaml"), "identical samples")["verdict"] == "ok"


def test_every_broken_cell_is_named(cli: Cli, tmp_path: Path) -> None:
    rows = [f"{n},1.{n},{'yes' if n % 2 else 'no'},train" for n in range(400)]
    for line in range(100, 130):
        rows[line] = f"{line},x{line},no,train"
    rows[7] = '"1,234",1.5,yes,train'
    write_table(tmp_path, [*rows, *ROWS[12:]])
    result = checked(cli, "people.yaml", code=3)
    file = tmp_path / "people.csv"
    lines = [9, *range(102, 132)]
    assert [error["place"] for error in result["errors"]] == [f"{file}:{line}" for line in lines]
    done = cli("check", "--data", "people.yaml")
    assert done.returncode == 3
    assert "and 12 more errors\n    `cnnctl check --data --json` lists all" in done.stderr


def test_broken_targets_and_broken_features_are_named_together(cli: Cli, tmp_path: Path) -> None:
    rows = [f"{n},1.{n},{'yes' if n % 2 else 'no'},train" for n in range(40)]
    rows[3], rows[5], rows[9] = "x,1.5,yes,train", "5,1.5,,train", "9,y,no,train"
    write_table(tmp_path, [*rows, *ROWS[12:]])
    places = {error["place"] for error in checked(cli, "people.yaml", code=3)["errors"]}
    assert places == {f"{tmp_path / 'people.csv'}:{line}" for line in (5, 7, 11)}


def test_every_ragged_row_is_named(cli: Cli, tmp_path: Path) -> None:
    write_table(tmp_path, [*ROWS, "1,2", "1,2,yes,train", "1,2,3,4,5"])
    places = [error["place"] for error in checked(cli, "people.yaml", code=3)["errors"]]
    assert places == [f"{tmp_path / 'people.csv'}:{line}" for line in (20, 22)]


def test_a_bad_start_is_an_error_in_the_configuration(cli: Cli, tmp_path: Path) -> None:
    text = "model: {layers: [flatten, linear: classes], init: {name: normal, std: 9}}\n"
    (tmp_path / "x.yaml").write_text(f"{text}optimizer: sgd\n", encoding="utf-8")
    done = cli("check", "--data", "x.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("x.yaml:1:8: model: the first loss is high: ")
    assert cli("check", "x.yaml").returncode == 0


def test_the_faults_of_all_files_are_told_and_the_first_gives_the_exit_code(
    cli: Cli, tiny: Path, pets: Path
) -> None:
    (pets / "test" / "dog" / "broken.png").write_bytes(b"none")
    (tiny.parent / "bad.yaml").write_text("model: {layers: [x]}\n", encoding="utf-8")
    done = cli("check", "--data", "pets.yaml", "bad.yaml", "tiny.yaml")
    assert done.returncode == 3
    assert done.stdout.endswith("tiny.yaml: no problems found\n")
    assert f"{pets / 'test' / 'dog' / 'broken.png'}: " in done.stderr
    assert "bad.yaml:1:18: model.layers.0: " in done.stderr
    assert cli("check", "--data", "bad.yaml", "pets.yaml").returncode == 2


def test_advice_is_given_as_without_the_data(cli: Cli, tmp_path: Path) -> None:
    text = "model: {layers: [flatten, linear: classes, softmax]}\noptimizer: sgd\n"
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    [plain] = json.loads(cli("check", "--json", "x.yaml").stdout)
    assert plain["data"] is None
    assert plain["advice"]
    assert checked(cli, "x.yaml")["advice"] == plain["advice"]
    assert "x.yaml:1:44: advice: " in cli("check", "--data", "x.yaml").stdout
    missing = cli("check", "--data", "x.yaml", "--json", "--data-root", tmp_path)
    assert json.loads(missing.stdout)[0]["advice"] == plain["advice"]


def test_published_data_is_looked_for_in_the_dataset_directory(cli: Cli, tmp_path: Path) -> None:
    text = "data: mnist\nmodel: {layers: [flatten, linear: classes]}\noptimizer: sgd\n"
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    raw = tmp_path / "there" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").write_bytes(b"none")
    done = cli("check", "--data", "x.yaml", "--data-root", "there/MNIST")
    assert done.returncode == 3
    assert f"use --data-root {tmp_path / 'there'}" in done.stderr
    damaged = cli("check", "--data", "x.yaml", "--data-root", "there")
    assert damaged.returncode == 3
    assert "is damaged" in damaged.stderr


def test_the_dataset_directory_is_another_option(cli: Cli, pets: Path) -> None:
    pets.rename(pets.parent / "moved")
    missing = cli("check", "--data", "pets.yaml")
    assert missing.returncode == 3
    assert "or give the folder with --data-root" in missing.stderr
    assert cli("check", "--data", "pets.yaml", "--data-root", "moved").returncode == 0
    wrong = cli("check", "pets.yaml", "--data", "moved", "--data-root", "moved")
    assert wrong.returncode == 2
    assert "moved: is a folder\n    give experiment files; --data-root DIR" in wrong.stderr


def test_a_terminal_sees_a_bar(cli: Cli, tiny: Path) -> None:
    done = cli("check", "--data", tiny, FORCE_COLOR="1")
    assert done.returncode == 0
    assert "comparing" in done.stderr
    assert cli("check", "--data", tiny).stderr == ""


def test_file_names_are_escaped(cli: Cli, pets: Path) -> None:
    shutil.copy(pets / "train" / "cat" / "3.png", pets / "test" / "cat" / "a\x1b[31m.png")
    done = cli("check", "--data", "pets.yaml")
    assert done.returncode == 3
    assert "\x1b" not in done.stdout + done.stderr
    assert r"a\x1b[31m.png" in done.stdout
