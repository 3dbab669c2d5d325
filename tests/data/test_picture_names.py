"""The names that lists and tables have for pictures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.data.picture_names import PictureNames

names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(
    lambda name: name == name.strip() and not set(name) & set("/\\#") and name not in (".", "..")
)


@given(st.lists(names, min_size=1, max_size=20, unique=True))
def test_every_name_is_found(names: list[str]) -> None:
    all_names = [f"class/{name}.png" for name in names]
    known = PictureNames(all_names)
    for at, name in enumerate(all_names):
        assert known.find(name) == [at]
        assert known.find_in(f"{name} label") == [at]
        assert at in known.find(name.removesuffix(".png"))


def test_names_of_files_are_found_in_any_folder() -> None:
    known = PictureNames(["part_1/a.png", "part_2/b.png", "part_2/c.jpg", "part_1/c.png"])
    assert known.find("b.png") == []
    assert known.find_file("b.png") == known.find_file("b") == [1]
    assert (known.find_file("c.png"), known.find_file("c")) == ([3], [2, 3])
    assert known.find_file("part_1/a.png") == known.find_file("d") == []


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("a/01.png", ["a/001.png"]),
        ("set/a/01.png", ["set/a/001.png"]),
        ("001.png", ["a/001.png"]),
        ("b/001", ["a/001"]),
        ("z/elsewhere.png", []),
    ],
)
def test_close_names_are_suggested_once_and_as_they_can_be_written(
    name: str, close: list[str]
) -> None:
    known = PictureNames(["set/a/001.png", "set/a/xyz.png", "set/b/q.png"])
    assert known.similar(name) == close
    assert all(known.find(each) for each in close)
