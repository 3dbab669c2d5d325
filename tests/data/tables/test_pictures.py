"""The pictures that the paths in a table mean."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.data.file_tree import ABSENT, Entry, FileTree
from cnnctl.data.tables.cells import Cells
from cnnctl.data.tables.pictures import PictureFiles, entries_of
from cnnctl.errors import FaultError

NAMES = ["a/1.png", "a/2.jpg", "b/1.png", "b/2.jpg", "b/2.png"]


class Listed(FileTree):
    """A tree of files that are not there, which nothing may read."""

    def _listed(self) -> list[Entry]:
        return [Entry(name, 1, 0) for name in NAMES]

    def _content(self, entry: Entry) -> bytes:
        raise AssertionError


def files(suffix: str = "") -> PictureFiles:
    return PictureFiles(Listed(Path("root")), suffix=suffix)


def cells(*paths: str) -> Cells:
    return Cells("file", paths, range(2, len(paths) + 2), "t.csv")


@pytest.mark.parametrize(
    ("path", "suffix", "found"),
    [
        ("a/1.png", "", "a/1.png"),
        ("./a/1.png", "", "a/1.png"),
        ("a\\1.png", "", "a/1.png"),
        ("a/1", "", "a/1.png"),
        ("b/2", ".jpg", "b/2.jpg"),
        ("b/2", ".png", "b/2.png"),
    ],
)
def test_the_usual_forms_of_a_path_are_understood(path: str, suffix: str, found: str) -> None:
    [entry] = entries_of(cells(path), files(suffix), may_lack=False)
    assert entry.name == found


def test_a_stem_that_two_pictures_have_is_a_fault() -> None:
    with pytest.raises(FaultError, match=r"b/2\.jpg or b/2\.png may be meant") as error:
        entries_of(cells("b/2"), files(), may_lack=False)
    assert "data.suffix" in error.value.faults[0].hint


parts = st.one_of(st.sampled_from(["a", "b", "..", ".", "", "1.png", "C:"]), st.text(max_size=5))


@given(st.lists(parts, max_size=5), st.sampled_from("/\\"), st.booleans())
def test_only_listed_files_and_absent_ones_below_the_root_are_meant(
    pieces: list[str], separator: str, may_lack: bool
) -> None:
    path = separator.join(pieces).strip()
    try:
        [entry] = entries_of(cells(path), files(), may_lack=may_lack)
    except FaultError as error:
        assert error.faults[0].place == "t.csv:2"
        assert error.faults[0].hint
        return
    if entry.size == ABSENT:
        assert may_lack
        assert not entry.name.startswith("/")
        assert ".." not in entry.name.split("/")
    else:
        assert entry.name in NAMES
