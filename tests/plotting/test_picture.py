"""Landscapes as files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cnnctl.plotting.landscape import Landscape
from cnnctl.plotting.learned import Wish, view_of
from cnnctl.plotting.picture import write
from cnnctl.subject import Subject
from tests.plotting.test_text import landscape


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_equal_landscapes_are_equal_files(tmp_path: Path, suffix: str) -> None:
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    for path in (first, second):
        write(landscape(), path)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    "found",
    [
        landscape(classes=()),
        replace(landscape(), answers=None),
        replace(landscape(), title="$\\frac{$ \x00", remarks=("$", "\ud800")),
        replace(landscape(), classes=tuple(f"class {n}" for n in range(40)), answers=None),
    ],
)
def test_every_kind_of_landscape_is_drawn(tmp_path: Path, found: Landscape) -> None:
    write(found, tmp_path / "a.svg")
    ElementTree.fromstring((tmp_path / "a.svg").read_bytes())


def test_a_bent_grid_is_drawn(moons: Subject, tmp_path: Path) -> None:
    write(view_of(moons, Wish(layer="tanh1")).landscape(resolution=10), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
