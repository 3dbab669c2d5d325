import shutil
import sys
from pathlib import Path

import pytest

from cnnctl.data.files import open_tree
from cnnctl.data.pictures import orders, trial
from cnnctl.data.pictures.trial import Tried, try_all
from cnnctl.errors import FaultError
from tests.data.sources.test_image_folder import spoil, write


def tried(root: Path) -> dict[str, Tried]:
    tree = open_tree(root)
    counted = list[int]()
    found = try_all(tree, tree.entries, advance=counted.append)
    assert sum(counted) == len(found) == len(tree.entries)
    return {tree.entries[each.number].name: each for each in found}


def test_several_processes_find_what_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "TOGETHER", 3)
    root = write(tmp_path / "pets", {"cat": 6, "dog": 6})
    spoil(root)
    expected = tried(root)
    monkeypatch.setattr(trial, "FEW", 0)
    assert tried(root) == expected
    assert [name for name, each in expected.items() if each.broken] == [
        "cat/000.png",
        "dog/001.png",
        "dog/003.png",
    ]
    assert len({each.digest for each in expected.values()}) == 12


def test_a_process_that_dies_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / "pets", {"cat": 6})
    monkeypatch.setattr(trial, "FEW", 0)
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(FaultError, match="a decoder ended with exit code 1"):
        tried(root)


def test_every_order_decodes_some_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / "pets", {"cat": 9}, height=10, width=20)
    monkeypatch.setattr(orders, "TOGETHER", 3)
    for pixels, decoded in ((0, 1), (3 * 400, 2), (3 * 600, 3)):
        monkeypatch.setattr(trial, "DECODED_PIXELS", pixels)
        found = [each.is_decoded for each in tried(root).values()]
        assert found == ([True] * decoded + [False] * (3 - decoded)) * 3
