import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cnnctl.data import split_lists
from cnnctl.data.files import Folder, open_tree
from cnnctl.data.records import Record
from cnnctl.data.split_lists import SplitLists
from cnnctl.errors import ExitCode, FaultError

PICTURES = [f"{kind}/{number}.jpg" for kind in ("cat", "dog") for number in range(3)]


def tree_of(root: Path, names: list[str] = PICTURES) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def divided(root: Path, folder: Path, lists: Mapping[str, str | bytes]) -> dict[str, Any]:
    """The split of each picture by name, as these lists give it."""
    folder.mkdir(exist_ok=True)
    for split, text in lists.items():
        content = text.encode() if isinstance(text, str) else text
        (folder / f"{split}.txt").write_bytes(content)
    given_lists = SplitLists(**{split: str(folder / f"{split}.txt") for split in lists})
    tree = open_tree(root)
    records = [Record(entry, entry.name.split("/")[-2]) for entry in tree.entries]
    found = given_lists.divide(tree, records)
    reasons = {each.reason for each in tree.left_out}
    assert reasons <= {"is in none of the lists of data.splits"}
    assert len(tree.left_out) == len(records) - len(found)
    return {record.entry.name: record.split for record in found}


TRAIN = {"cat/0.jpg": "train", "dog/1.jpg": "train"}


@pytest.mark.parametrize(
    "text",
    [
        "cat/0\ndog/1\n",  # as Food-101
        "cat/0.jpg\ndog/1.jpg",
        "cat/0.jpg 0\ndog/1.jpg 1\n",  # as ImageNet
        "# pets\n\n  cat/0\t1 1 2\r\ndog/1 2 1 1\r\n",  # as Oxford-IIIT Pet
        "\ufeff./cat/0.jpg\n.\\dog\\1.jpg\n",
        b"dog/1\rcat/0\r",
    ],
)
def test_the_usual_forms_of_a_list_are_read_alike(text: str, tmp_path: Path) -> None:
    assert divided(tree_of(tmp_path / "pets"), tmp_path / "lists", {"train": text}) == TRAIN


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_paths_may_leave_out_the_folders_that_all_pictures_are_in(
    kind: str, tmp_path: Path
) -> None:
    tree_of(tmp_path / "all" / "pets" / "images")
    archive = Path(shutil.make_archive(str(tmp_path / "pets"), kind, tmp_path / "all"))
    for root in (tmp_path / "all", archive):
        for line in ("cat/2", "images/cat/2", "pets/images/cat/2.jpg"):
            found = {"pets/images/cat/2.jpg": "train"}
            assert divided(root, tmp_path, {"train": line}) == found


def test_each_list_is_a_split(tmp_path: Path) -> None:
    lists = {"train": "cat/0\ndog/0", "validation": "cat/1", "test": "dog/2\ncat/2"}
    assert divided(tree_of(tmp_path / "pets"), tmp_path, lists) == {
        **{"cat/0.jpg": "train", "dog/0.jpg": "train", "cat/1.jpg": "validation"},
        **{"dog/2.jpg": "test", "cat/2.jpg": "test"},
    }


def test_names_with_blanks_are_found_before_shorter_ones(tmp_path: Path) -> None:
    root = tree_of(tmp_path / "pets", ["cat/a.jpg", "cat/a b.jpg", "cat/a b 3.jpg", "dog/#1.jpg"])
    for line, name in {
        "cat/a b": "a b.jpg",
        "cat/a b 3": "a b 3.jpg",
        "cat/a b 4": "a b.jpg",
        "cat/a 3": "a.jpg",
    }.items():
        assert divided(root, tmp_path, {"train": line}) == {f"cat/{name}": "train"}


@pytest.mark.parametrize(
    ("lists", "message", "hint"),
    [
        ({"train": "cat/0\ncat/11"}, r"train.txt:2: no such picture: cat/11", "did you mean cat/1"),
        ({"train": "cta/0.jpg 1"}, r"train.txt:1: no such picture: cta/0.jpg", "cat/0.jpg?"),
        ({"train": "horse/0 1"}, r"train.txt:1: no such picture: horse/0", "relative to"),
        ({"train": "/cat/0.jpg"}, r"train.txt:1: no such picture: /cat/0.jpg", "mean cat/0.jpg?"),
        ({"train": "../pets/cat/0"}, r"train.txt:1: no such picture", "relative to"),
        ({"train": "cat/0\n\ncat/0.jpg"}, r"train.txt:3: cat/0.jpg is in line 1, too", "remove"),
        (
            {"train": "cat/0", "test": "# test\ncat/0"},
            r"test.txt:2: cat/0.jpg is in .*train.txt:1, too",
            "remove one",
        ),
        ({"train": "# none\n\n"}, r"train.txt: names no pictures", "add some"),
        ({"train": "cat/0", "test": ""}, r"test.txt: names no pictures", "add some"),
        ({"train": "cat/0\nx\xe9".encode("latin-1")}, r"train.txt:2: is not UTF-8", "UTF-8"),
        ({"train": "cat/0\n\0"}, r"train.txt:2: has a NUL character", "text"),
        ({"train": "cat/0\n" + "x" * 10_001}, r"train.txt:2: a line of 10,001", "path per line"),
    ],
)
def test_faults_of_a_list_name_it_and_the_line(
    lists: dict[str, str | bytes], message: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(FaultError, match=message) as error:
        divided(tree_of(tmp_path / "pets"), tmp_path, lists)
    assert error.value.exit_code is ExitCode.DATA
    assert hint in error.value.faults[0].hint


def test_a_name_that_means_two_pictures_is_a_fault(tmp_path: Path) -> None:
    root = tree_of(tmp_path / "pets", ["cat/0.jpg", "cat/0.png"])
    with pytest.raises(FaultError, match=r":1: cat/0.jpg or cat/0.png may be meant"):
        divided(root, tmp_path, {"train": "cat/0"})
    assert divided(root, tmp_path, {"train": "cat/0.png"}) == {"cat/0.png": "train"}


def test_all_faults_of_all_lists_are_found(tmp_path: Path) -> None:
    wrong = "".join(f"horse/{number}\n" for number in range(1000))
    with pytest.raises(FaultError) as error:
        divided(tree_of(tmp_path / "pets"), tmp_path, {"train": wrong, "test": "cat/0\nhorse/0\n"})
    assert len(error.value.every) == 1001
    assert len(error.value.faults) == 20


def test_a_list_that_cannot_be_read_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Folder(tree_of(tmp_path / "pets"))
    with pytest.raises(FaultError, match=r"none.txt: no such file") as error:
        SplitLists(train=str(tmp_path / "none.txt")).divide(tree, [])
    assert error.value.faults[0].hint == "check data.splits.train"
    monkeypatch.setattr(split_lists, "MAX_BYTES", 5)
    with pytest.raises(FaultError, match=r"train.txt: cannot be read: larger than 5 bytes"):
        divided(tree.root, tmp_path, {"train": "cat/0\n"})


def test_pictures_whose_folders_give_the_splits_are_refused(tmp_path: Path) -> None:
    tree = Folder(tree_of(tmp_path / "pets"))
    records = [Record(entry, "cat", "train") for entry in tree.entries]
    with pytest.raises(FaultError, match="give its splits already") as error:
        SplitLists(train="train.txt").divide(tree, records)
    assert error.value.faults[0].path == ("splits",)
