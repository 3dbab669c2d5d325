"""Files with equal content stay in one split."""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnctl.data.copies import copies_among, kept_together
from cnnctl.data.file_tree import Entry
from cnnctl.data.files import open_tree
from cnnctl.data.records import Record
from cnnctl.errors import FaultError


def test_equal_files_are_found_by_their_content(tmp_path: Path) -> None:
    contents = {"a": b"one", "b": b"two", "c": b"one", "d/e": b"one", "f": b"three", "g": b"two"}
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    tree = open_tree(tmp_path)
    found = copies_among(tree, tree.entries, limit=100)
    assert found == {"a": "a", "c": "a", "d/e": "a", "b": "b", "g": "b"}
    assert copies_among(tree, tree.entries, limit=2) == {}


def test_only_files_of_equal_size_are_read(tmp_path: Path) -> None:
    for number in range(1, 5):
        (tmp_path / f"{number}").write_bytes(b"x" * number)
    tree = open_tree(tmp_path)
    entries = tree.entries
    for path in tmp_path.iterdir():
        path.unlink()
    assert copies_among(tree, entries, limit=100) == {}


def test_nothing_but_copies_is_refused() -> None:
    with pytest.raises(FaultError, match="all 3 files have the same content"):
        kept_together(records(["", "", ""]), dict.fromkeys("012", "0"))
    assert len(kept_together(records(["", "", ""]), dict.fromkeys("02", "0"))) == 3


def test_a_file_that_cannot_be_read_has_no_copies(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(b"one")
    tree = open_tree(tmp_path)
    entries = tree.entries
    (tmp_path / "a").unlink()
    assert copies_among(tree, entries, limit=100) == {}


def records(groups: list[str]) -> list[Record]:
    return [Record(Entry(f"{n}", 1, 0), "x", group=group) for n, group in enumerate(groups)]


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 5)), min_size=1, max_size=30),
    st.booleans(),
)
def test_groups_and_copies_both_hold(samples: list[tuple[str, int]], has_groups: bool) -> None:
    """Two samples are together exactly if a chain of equal groups and contents joins them."""
    groups = [group if has_groups else "" for group, _ in samples]
    first = {content: f"{n}" for n, (_, content) in reversed([*enumerate(samples)])}
    contents = [content for _, content in samples]
    assume(len(samples) == 1 or len(set(contents)) > 1)
    copies = {
        f"{n}": first[content] for n, content in enumerate(contents) if contents.count(content) > 1
    }
    found = [record.group for record in kept_together(records(groups), copies)]
    if not copies:
        assert found == groups
        return
    expected = list(range(len(samples)))
    for _ in samples:  # Bellman and Ford: the smallest position that can be reached
        for one, (group, content) in enumerate(samples):
            for two, (other, same) in enumerate(samples):
                if content == same or (has_groups and group == other):
                    expected[one] = min(expected[one], expected[two])
    together = [[a == b for b in found] for a in found]
    assert together == [[a == b for b in expected] for a in expected]
