"""Pictures that a table names."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from cnnctl.data.dataset import DataSet
from cnnctl.data.preparation import prepare, read_split
from cnnctl.data.samples import Samples
from cnnctl.data.sources.image_folder import ImageFolder
from cnnctl.data.sources.image_table import ImageTable
from cnnctl.errors import ExitCode, FaultError
from tests.conftest import Cli
from tests.data.sources.test_image_folder import SPLIT, noise, pixels_of
from tests.data.sources.test_image_folder import write as write_pictures
from tests.data.sources.test_table import write


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNCTL_CACHE", str(tmp_path / "cache"))


HEADER = ["file", "kind", "tags", "size", "patient", "taken"]


def pictures(root: Path, count: int = 60) -> list[list[Any]]:
    """Pictures below root/pictures whose colours are their targets, and a row for each."""
    random, rows = np.random.default_rng(0), []
    (root / "pictures" / "a").mkdir(parents=True)
    for number in range(count):
        is_dog, is_green, size = number % 2, int(random.integers(2)), random.random()
        pixels = random.integers(0, 60, (8, 8, 3))
        pixels += np.array([130 * is_dog, 130 * is_green, int(190 * size)])
        name = f"a/{number:03}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(root / "pictures" / name)
        tags = "; ".join(tag for tag, is_so in (("绿", is_green), ("red", is_dog)) if is_so)
        taken = f"2024-01-01T00:{59 - number % 60:02}:00"
        rows.append([name, ("cat", "dog")[is_dog], tags, 1000 * size, f"p{number // 6}", taken])
    return rows


def table(root: Path, rows: Sequence[Sequence[Any]] | None = None) -> Path:
    return write(root / "table.csv", HEADER, pictures(root) if rows is None else rows)


def surveyed(path: Path, *, seed: int = 0, **options: Any) -> ImageTable:
    plain = {"name": "image_table", "path": str(path), "images": str(path.parent / "pictures")}
    if "targets" not in options:
        plain["target"] = "kind"
    found = DataSet.read({**plain, **options}).surveyed(Path(), seed=seed)
    assert isinstance(found, ImageTable)
    return found


def faults_of(path: Path, **options: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(FaultError) as error:
        prepare(surveyed(path, **options), seed=0)
    assert error.value.exit_code in (ExitCode.DATA, ExitCode.USAGE)
    return [(fault.place, fault.message, fault.hint) for fault in error.value.faults]


def read(samples: Samples) -> list[str]:
    return [Path(samples.called(at)).name for at in range(len(samples))]


def test_pictures_have_the_targets_of_their_rows(tmp_path: Path) -> None:
    path = table(tmp_path)
    data = surveyed(path, test=0, validation=0)
    assert (data.column, data.task, data.classes) == ("file", "classification", ["cat", "dog"])
    samples = prepare(data, seed=0).splits.train.samples
    assert samples.targets.tolist() == [number % 2 for number in range(60)]
    expected = np.asarray(Image.open(tmp_path / "pictures/a/007.png")).transpose(2, 0, 1)
    assert np.array_equal(pixels_of(samples)[7], expected)
    assert Path(samples.called(7)) == tmp_path / "pictures" / "a" / "007.png"


def test_pictures_of_folders_in_a_table_are_the_same_samples(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "pictures", SPLIT)
    files = sorted(root.rglob("*.png"))
    rows = [[file.relative_to(root), *file.relative_to(root).parts[:2]] for file in files]
    path = write(tmp_path / "table.csv", ["file", "split", "kind"], rows)
    folder = prepare(ImageFolder(path=str(root)).surveyed(Path(), seed=0), seed=0)
    found = prepare(surveyed(path, split="split"), seed=0)
    for name in ("train", "validation", "test"):
        one, other = (getattr(each.splits, name) for each in (folder, found))
        assert torch.equal(one.targets, other.targets)
        assert all(map(torch.equal, one.chunks(), other.chunks()))


TARGETS = {"kind": "class", "tags": "labels", "size": "values"}


def test_several_targets_are_read_for_heads(tmp_path: Path) -> None:
    rows = pictures(tmp_path)
    data = surveyed(table(tmp_path, rows), targets=TARGETS, test=0, validation=0)
    prepared = prepare(data, seed=0)
    samples = prepared.splits.train.samples
    assert samples.targets.tolist() == [number % 2 for number in range(60)]
    tags = [["red" in row[2], "绿" in row[2]] for row in rows]
    assert torch.equal(samples.others["tags"], torch.tensor(tags).float())
    sizes = np.array([row[3] for row in rows])
    np.testing.assert_allclose(samples.others["size"][:, 0], sizes, rtol=1e-6)
    normalize = prepared.data.target_normalizations["size"]
    assert not isinstance(normalize, str)
    np.testing.assert_allclose([normalize.mean[0], normalize.std[0]], [sizes.mean(), sizes.std()])


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_one_target_can_be_labels_or_values(task: str, tmp_path: Path) -> None:
    rows = pictures(tmp_path)
    target = "tags" if task == "multilabel" else "size"
    data = surveyed(table(tmp_path, rows), target=target, task=task, validation=0.3)
    described = data.describe()
    assert (described.is_multilabel, described.outputs) == (
        (task == "multilabel"),
        len(TASKS[task]),
    )
    prepared = prepare(data, seed=0)
    held = prepared.splits.validation
    assert len(held) == data.known_samples.validation
    names = [read(held.samples)[at] for at in held.positions.tolist()]
    own = [row for name in names for row in rows if row[0].endswith(name)]
    expected = [TASKS[task][0](row) for row in own]
    np.testing.assert_allclose(held.targets[:, 0], expected, rtol=1e-6)


TASKS: dict[str, Any] = {
    "multilabel": [lambda row: float("red" in row[2]), lambda row: float("绿" in row[2])],
    "regression": [lambda row: row[3]],
}


def test_groups_stay_together(tmp_path: Path) -> None:
    rows = pictures(tmp_path)
    parts = prepare(surveyed(table(tmp_path, rows), group="patient", validation=0.3), seed=0).splits
    patient_of = {Path(row[0]).name: row[4] for row in rows}
    found = [
        {patient_of[read(part.samples)[at]] for at in part.positions.tolist()}
        for part in (parts.train, parts.validation, parts.test)
    ]
    assert all(found)
    assert sum(map(len, found)) == 10


def test_the_latest_pictures_are_tested_and_those_before_them_validation(tmp_path: Path) -> None:
    rows = pictures(tmp_path)
    data = surveyed(table(tmp_path, rows), time="taken", validation=0.2, test=0.25)
    parts = prepare(data, seed=0).splits
    taken = {Path(row[0]).name: row[5] for row in rows}
    train, validation, test = (
        sorted(taken[read(part.samples)[at]] for at in part.positions.tolist())
        for part in (parts.train, parts.validation, parts.test)
    )
    assert (len(train), len(validation), len(test)) == (36, 9, 15)
    assert train[-1] < validation[0] < validation[-1] < test[0]


@pytest.mark.parametrize("rule", [{"time": "taken"}, {"group": "patient"}, {}])
def test_a_cut_is_found_again_after_pictures_were_skipped(
    rule: dict[str, Any], tmp_path: Path
) -> None:
    path = table(tmp_path)
    for name in ("000", "001", "013", "030"):
        (tmp_path / "pictures" / "a" / f"{name}.png").write_bytes(b"")
    (tmp_path / "pictures" / "a" / "002.png").unlink()
    data = surveyed(path, on_error="skip", max_skipped=0.5, validation=0.2, **rule)
    assert sorted(data.skipped) == [f"a/{n}.png" for n in ("000", "001", "002", "013", "030")]
    parts = prepare(data, seed=0).splits
    counts = data.known_samples
    assert [len(parts.train), len(parts.validation), len(parts.test)] == [
        *(counts.train, counts.validation, counts.test)
    ]
    assert counts.train + counts.validation + counts.test == 55
    with pytest.raises(FaultError, match=r"pictures cannot be decoded"):
        surveyed(path, on_error="skip", max_skipped=0.05, **rule)


@pytest.mark.parametrize("words", [("TRAIN", "VAL", "TEST"), ("train", "validation", "test")])
def test_a_column_can_name_the_splits(words: tuple[str, str, str], tmp_path: Path) -> None:
    """TRAIN, VAL and TEST are what MedMNIST writes."""
    rows = [[row[0], row[1], words[at % 3]] for at, row in enumerate(pictures(tmp_path))]
    path = write(tmp_path / "table.csv", ["image", "label", "fold"], rows)
    data = surveyed(path, target="label", split="fold")
    counts = data.known_samples
    assert (counts.train, counts.validation, counts.test) == (20, 20, 20)
    names = read(read_split(data, "test", seed=0).samples)
    assert names == [Path(row[0]).name for row in rows[2::3]]


@pytest.mark.parametrize("options", [{"suffix": ".png"}, {}])
def test_paths_can_lack_their_suffix(options: dict[str, Any], tmp_path: Path) -> None:
    rows = [[Path(row[0]).stem, row[1]] for row in pictures(tmp_path)]
    path = write(tmp_path / "train.csv", ["id", "breed"], rows)
    data = surveyed(path, target="breed", images=str(tmp_path / "pictures" / "a"), **options)
    assert data.column == "id"
    if not options:  # all pictures are in one folder, which may be left out as well
        assert surveyed(path, target="breed").column == "id"
    Image.fromarray(noise(0)).save(tmp_path / "pictures" / "a" / "007.jpg")
    found = faults_of(path, target="breed") if not options else []
    assert [fault[1] for fault in found] == [
        "column id: a/007.jpg or a/007.png may be meant" for _ in found
    ]


def test_a_number_is_not_taken_for_a_path_if_a_column_has_the_paths(tmp_path: Path) -> None:
    rows = []
    (tmp_path / "pictures").mkdir()
    for number in range(20):
        Image.fromarray(noise(number)).save(tmp_path / "pictures" / f"{number}.png")
        rows.append([number, f"{number}.png", number % 3, ("x", "y")[number % 2]])
    path = write(tmp_path / "table.csv", ["row", "file", "age", "kind"], rows)
    assert surveyed(path).column == "file"
    short = write(tmp_path / "ids.csv", ["age", "id", "kind"], [[r[2], r[0], r[3]] for r in rows])
    assert surveyed(short).column == "id"


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_an_archive_is_read_in_place(kind: str, tmp_path: Path) -> None:
    path = table(tmp_path)
    archive = shutil.make_archive(str(tmp_path / "packed"), kind, tmp_path, "pictures")
    one = prepare(surveyed(path), seed=0).splits.test
    other = prepare(surveyed(path, images=archive), seed=0).splits.test
    assert torch.equal(one.targets, other.targets)
    assert all(map(torch.equal, one.chunks(), other.chunks()))


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_what_an_archive_lacks_can_be_skipped(kind: str, tmp_path: Path) -> None:
    rows = pictures(tmp_path)
    archive = shutil.make_archive(str(tmp_path / "packed"), kind, tmp_path, "pictures")
    path = table(tmp_path, [*rows, *(["a/gone.png", *row[1:]] for row in rows[:1])])
    options: dict[str, Any] = {"images": archive, "on_error": "skip", "group_copies": True}
    data = surveyed(path, **options, max_skipped=0.2)
    assert data.skipped == ["a/gone.png"]
    parts = prepare(data, seed=0).splits
    assert len(parts.train) + len(parts.validation) + len(parts.test) == 60


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_an_archive_can_hold_the_table_and_its_pictures(kind: str, tmp_path: Path) -> None:
    rows = pictures(tmp_path / "all" / "set")
    path = table(tmp_path / "all" / "set", [[f"pictures/{row[0]}", *row[1:]] for row in rows])
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), kind, tmp_path / "all"))
    one = prepare(surveyed(path, images=None), seed=0).splits.test
    other = prepare(surveyed(archive, images=None), seed=0).splits.test
    assert torch.equal(one.targets, other.targets)
    assert all(map(torch.equal, one.chunks(), other.chunks()))


def test_pictures_beside_the_table_need_no_option(tmp_path: Path) -> None:
    rows = [[f"pictures/{row[0]}", *row[1:]] for row in pictures(tmp_path)]
    data = surveyed(table(tmp_path, rows), images=None)
    assert data.known_samples.train == 46


ROW = ["a/001.png", "cat", "red", 1, "p", "2024-01-01"]


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (["a/999.png"], "column file: no such picture: a/999.png", "did you mean a/0"),
        (["b.png"], "column file: no such picture: b.png", "paths are relative to"),
        (["../secret.png"], "column file: ../secret.png leads out of ", "relative to data.images"),
        (["a/../../x.png"], "column file: a/../../x.png leads out of ", "relative to data.images"),
        (["..\\x.png"], r"column file: ..\\x.png leads out of ", "relative to data.images"),
        (["/etc/passwd"], "column file: /etc/passwd leads out of ", "relative to data.images"),
        (["C:/x.png"], "column file: C:/x.png leads out of ", "relative to data.images"),
        (["link.png"], "column file: link.png is a link to a folder, or to a file outside", "put"),
        ([""], "column file: the path is missing", "fill it in"),
        (["a/001.png"], "column file: a/001.png is in line 3, too", "one row for each picture"),
        (["./a/001.png"], "column file: a/001.png is in line 3, too", "one row for each picture"),
        (["a/new.png", ""], "column kind: the target is missing", "fill it in"),
    ],
)
def test_a_row_that_names_no_picture_of_its_own_is_named_by_its_line(
    change: list[str], message: str, hint: str, tmp_path: Path
) -> None:
    rows = pictures(tmp_path)
    outside = tmp_path / "secret.png"
    Image.fromarray(noise(0)).save(outside)
    (tmp_path / "pictures" / "link.png").symlink_to(outside)
    Image.fromarray(noise(1)).save(tmp_path / "pictures" / "a" / "new.png")
    path = table(tmp_path, [*rows, [*change, *ROW[len(change) :]]])
    [found] = faults_of(path)
    assert found[0] == f"{path}:62"
    assert found[1].startswith(message.replace("\\\\", "\\"))
    assert hint in found[2]


def test_a_picture_is_found_by_the_name_of_its_file(tmp_path: Path) -> None:
    rows = [[Path(row[0]).name, *row[1:]] for row in pictures(tmp_path)]
    (tmp_path / "pictures" / "b").mkdir()
    Image.fromarray(noise(1)).save(tmp_path / "pictures" / "b" / "other.png")
    path = table(tmp_path, rows)
    parts = prepare(surveyed(path), seed=0).splits
    assert len(parts.train) + len(parts.validation) + len(parts.test) == 60
    Image.fromarray(noise(1)).save(tmp_path / "pictures" / "b" / "003.png")
    [found] = faults_of(path)
    assert found[1] == "column file: a/003.png or b/003.png may be meant"
    assert found[2] == "write the folder in the table, or set data.images"


def test_all_faults_of_a_table_are_named(tmp_path: Path) -> None:
    rows = pictures(tmp_path)
    rows[3][0], rows[5][0], rows[9][1] = "nothing.png", "../x.png", ""
    path = table(tmp_path, rows)
    assert [Path(place).name for place, _, _ in faults_of(path)] == [
        *("table.csv:5", "table.csv:7", "table.csv:11")
    ]
    found = faults_of(path, on_error="skip")
    assert [Path(place).name for place, _, _ in found] == ["table.csv:7", "table.csv:11"]


def test_broken_pictures_are_named(tmp_path: Path) -> None:
    path = table(tmp_path)
    (tmp_path / "pictures" / "a" / "003.png").write_text("no picture")
    first, last = faults_of(path, test=0)
    assert Path(first[0]).name == "003.png"
    assert last[1] == "1 of 60 pictures cannot be decoded"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "kid"}, "has no column kid"),
        ({"column": "fil"}, "has no column fil"),
        ({"column": "kind"}, "column kind is a target, or decides the splits"),
        ({"column": "size", "on_error": "skip"}, "none of the pictures can be decoded"),
        ({"target": "kind", "targets": {"kind": "class"}}, "exclude each other"),
        ({"group": "patient", "split": "kind"}, "group and split cannot be combined"),
        ({"split": "kind"}, "column kind: cat is not a split"),
        ({"time": "taken", "group_copies": True}, "time and group_copies cannot be combined"),
        (
            {"split": "kind", "splits": {"train": "train.txt"}},
            "split and splits cannot be combined",
        ),
        ({"images": "nowhere"}, "no such folder or archive"),
    ],
)
def test_options_that_do_not_fit_are_a_fault(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = table(tmp_path)
    with pytest.raises(Exception, match=message):
        surveyed(path, **options)


def test_a_table_without_paths_is_refused(tmp_path: Path) -> None:
    rows = pictures(tmp_path)
    path = write(tmp_path / "table.csv", HEADER[1:], [row[1:] for row in rows])
    [(_, message, hint)] = faults_of(path)
    assert message == f"no column of {path} names pictures below {tmp_path / 'pictures'}"
    assert "columns: kind, tags, size, patient, taken" in hint
    twice = write(tmp_path / "table.csv", [*HEADER, "mask"], [[*row, row[0]] for row in rows])
    assert "columns file and mask of " in faults_of(twice)[0][1]
    assert surveyed(twice, column="mask").column == "mask"
    headless = write(tmp_path / "table.csv", rows[0], rows[1:])
    [(place, message, _)] = faults_of(headless, target="cat")
    assert (place, message) == (
        *(f"{headless}:1", "has the path of a picture instead of the names of columns"),
    )


def test_describing_needs_no_disk(tmp_path: Path) -> None:
    path = table(tmp_path)
    data = surveyed(path, targets=TARGETS)
    shutil.rmtree(tmp_path / "pictures")
    path.unlink()
    again = DataSet.read({"name": "image_table", **data.model_dump(exclude={"name"})})
    assert again.describe() == data.describe()
    assert [target.kind for target in again.describe().targets] == ["class", "labels", "values"]


CONFIG = """\
data:
  name: image_table
  path: table.csv
  images: pictures
  targets: {kind: class, tags: labels, size: values}
  sampler: balanced
  batch_size: 8
model:
  layers: [flatten, linear: 16, relu]
  heads:
    kind: {layers: [linear: classes]}
    tags: {layers: [linear: classes], loss: bce_with_logits}
    size: {layers: [linear: 1], loss: mse}
optimizer: {name: adam, lr: 0.01}
train: {epochs: 30}
"""


def jsonl(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_table_of_pictures_is_trained_measured_shown_and_answered(
    quick_cli: Cli, tmp_path: Path
) -> None:
    rows = pictures(tmp_path)
    table(tmp_path, rows)
    (tmp_path / "heads.yaml").write_text(CONFIG)
    trained = quick_cli("train", "heads.yaml")
    assert trained.returncode == 0, trained.stderr
    measured = quick_cli("eval", "runs/heads", "--json")
    heads = json.loads(measured.stdout)["heads"]
    assert heads["kind"]["accuracy"] == 1
    assert heads["tags"]["average_precision"] > 0.9
    assert heads["size"]["rmse"] < 150  # sizes are from 0 to 1000
    assert quick_cli("preview", "heads.yaml").returncode == 0
    answers = jsonl(quick_cli("predict", "runs/heads", "table.csv", "--jsonl").stdout)
    assert [answer["input"] for answer in answers] == [row[0] for row in rows]
    kinds = [answer["heads"]["kind"]["class"] for answer in answers]
    assert kinds == [row[1] for row in rows]
    # the same bits as from the folder
    folder = jsonl(quick_cli("predict", "runs/heads", "pictures", "--jsonl").stdout)
    assert [each["heads"] for each in folder] == [each["heads"] for each in answers]
    # moved together, they are found again
    (tmp_path / "moved").mkdir()
    for name in ("table.csv", "pictures"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    assert quick_cli("summary", "runs/heads").returncode == 0
    assert quick_cli("eval", "runs/heads").returncode == ExitCode.DATA
    moved = quick_cli("eval", "runs/heads", "--json", "--data", "moved/table.csv")
    assert moved.stdout == measured.stdout


def test_what_a_table_names_wrongly_is_answered_with_the_reason(
    quick_cli: Cli, tmp_path: Path
) -> None:
    rows = pictures(tmp_path)
    table(tmp_path, rows)
    (tmp_path / "heads.yaml").write_text(CONFIG)
    assert quick_cli("train", "heads.yaml", "train.epochs=1").returncode == 0
    new = [[rows[0][0]], ["../x.png"], ["a/none.png"], [rows[1][0]]]
    write(tmp_path / "new.csv", ["file"], new)
    done = quick_cli("predict", "runs/heads", "new.csv", "--jsonl")
    assert done.returncode == ExitCode.DATA
    assert "../x.png leads out of" in done.stderr
    assert "no such picture: a/none.png" in done.stderr
    answered = [each["input"] for each in jsonl(done.stdout) if "heads" in each]
    assert answered == [rows[0][0], rows[1][0]]
    write(tmp_path / "new.csv", ["path"], new)
    refused = quick_cli("predict", "runs/heads", "new.csv")
    assert refused.returncode == ExitCode.DATA
    assert "has no column file" in refused.stderr


def test_another_table_is_tested_whole(quick_cli: Cli, tmp_path: Path) -> None:
    rows = pictures(tmp_path)
    table(tmp_path, rows)
    (tmp_path / "heads.yaml").write_text(CONFIG)
    assert quick_cli("train", "heads.yaml", "train.epochs=1").returncode == 0
    write(tmp_path / "other.csv", HEADER, rows[:7])
    measured = quick_cli("eval", "runs/heads", "--json", "--data", "other.csv")
    assert "not the table of the run: all 7 pictures are tested" in measured.stderr
    assert json.loads(measured.stdout)["samples"] == 7


def test_a_run_is_not_resumed_on_another_table_or_other_pictures(
    quick_cli: Cli, tmp_path: Path
) -> None:
    rows = pictures(tmp_path)
    path = table(tmp_path, rows)
    (tmp_path / "heads.yaml").write_text(CONFIG)
    assert quick_cli("train", "heads.yaml", "train.epochs=1").returncode == 0
    resumed = quick_cli("train", "--resume", "runs/heads", "train.epochs=2")
    assert resumed.returncode == 0, resumed.stderr
    before = path.read_bytes()
    table(tmp_path, [[*rows[0][:3], 7, *rows[0][4:]], *rows[1:]])
    changed = quick_cli("train", "--resume", "runs/heads", "train.epochs=3")
    assert changed.returncode == ExitCode.DATA
    assert "has changed since the run was started" in changed.stderr
    path.write_bytes(before)
    Image.fromarray(noise(0)).save(tmp_path / "pictures" / "a" / "000.png")
    changed = quick_cli("train", "--resume", "runs/heads", "train.epochs=3")
    assert changed.returncode == ExitCode.DATA
    assert "has changed since the run was started" in changed.stderr


def in_tables(root: Path, **counts: int) -> dict[str, str]:
    """A table of each split, and the option that names those that are not for training."""
    rows = pictures(root, sum(counts.values()))
    for split, count in counts.items():
        write(root / f"{split}.csv", HEADER, rows[:count])
        rows = rows[count:]
    return {split: str(root / f"{split}.csv") for split in counts if split != "train"}


def test_a_table_can_hold_each_split(tmp_path: Path) -> None:
    tables = in_tables(tmp_path, train=40, validation=12, test=8)
    data = surveyed(
        tmp_path / "train.csv", tables=tables, targets={"kind": "class", "size": "values"}
    )
    counts = data.known_samples
    assert (counts.train, counts.validation, counts.test) == (40, 12, 8)
    train, test = (data.load(split, root=Path()) for split in ("train", "test"))
    assert train.validation is not None
    assert train.validation.tolist() == [*range(40, 52)]
    assert test.called(0) == str(tmp_path / "pictures/a/052.png")
    assert test.targets.tolist() == [0, 1] * 4


def test_faults_name_the_table_of_the_row(tmp_path: Path) -> None:
    tables = in_tables(tmp_path, train=40, test=20)
    text = (tmp_path / "test.csv").read_text(encoding="utf-8")
    (tmp_path / "test.csv").write_text(text.replace("a/041.png", "a/007.png"), encoding="utf-8")
    with pytest.raises(FaultError, match=r"test.csv:3.*a/007.png is in .*train.csv:9, too"):
        surveyed(tmp_path / "train.csv", tables=tables)
    (tmp_path / "test.csv").write_text(text.replace("kind", "sort"), encoding="utf-8")
    with pytest.raises(FaultError, match=r"test.csv: has no column kind"):
        surveyed(tmp_path / "train.csv", tables=tables)
    (tmp_path / "test.csv").write_text(text.replace("a/041", "a/0410"), encoding="utf-8")
    with pytest.raises(FaultError, match=r"test.csv:3: column file: no such picture"):
        surveyed(tmp_path / "train.csv", tables=tables)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tables": {}}, "no table is named"),
        ({"tables": {"test": "t.csv"}, "split": "kind"}, "tables and split cannot be combined"),
        ({"tables": {"test": "t.csv"}, "test": 0.2}, "tables and test cannot be combined"),
    ],
)
def test_tables_of_splits_have_no_other_rule_beside_them(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        DataSet.read({"name": "image_table", "path": "x.csv", "target": "kind", **options})
