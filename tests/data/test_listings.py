"""Listings that are kept: used again only while no folder has changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnctl.data import listings
from cnnctl.data.file_tree import Entry
from cnnctl.data.files import Folder

LONG_AGO = time.time() - 1000


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose listing is kept, though it is small."""
    monkeypatch.setenv("CNNCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(listings, "MANY", 1)
    root = tmp_path / "root"
    for name in ("a/1.png", "a/deep/2.png", "b/3\n.png", "b/\udcff.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode(errors="surrogateescape"))
    age(root)
    return root


def age(root: Path) -> None:
    """Let all folders be old."""
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        os.utime(folder, (LONG_AGO, LONG_AGO))


def listed(root: Path) -> list[Entry]:
    return Folder(root).entries


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that are scanned from now on."""
    scanned: list[str] = []
    scan = Folder._scanned

    def note(folder: Folder, below: str) -> list[os.DirEntry[str]]:
        scanned.append(below)
        return scan(folder, below)

    monkeypatch.setattr(Folder, "_scanned", note)
    return scanned


def test_a_folder_that_has_not_changed_is_not_listed_again(root: Path, scans: list[str]) -> None:
    first = listed(root)
    assert sorted(scans) == ["", "a/", "a/deep/", "b/"]
    scans.clear()
    assert listed(root) == first
    assert len(first) == 4
    assert not scans


CHANGES: dict[str, Callable[[Path], object]] = {
    "added": lambda root: (root / "a/deep/4.png").touch(),
    "removed": lambda root: (root / "b/3\n.png").unlink(),
    "renamed": lambda root: (root / "a/1.png").rename(root / "a/5.png"),
    "replaced": lambda root: [
        (root / "new").write_bytes(b"A/1.png"),
        (root / "new").replace(root / "a/1.png"),
    ],
    "rewritten": lambda root: (root / "a/1.png").write_bytes(b"A/1.png"),
    "new folder": lambda root: (root / "a/new").mkdir(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(root: Path, change: str, scans: list[str]) -> None:
    listed(root)
    scans.clear()
    CHANGES[change](root)
    now = listed(root)
    assert scans
    assert now == listed(root) == sorted(Folder(root)._listed(), key=lambda entry: entry.name)


def test_a_folder_that_has_just_changed_is_listed_again(root: Path, scans: list[str]) -> None:
    (root / "a/6.png").touch()  # another file could still get the same time
    listed(root)
    scans.clear()
    listed(root)
    assert scans


def test_a_damaged_listing_is_made_anew(root: Path, tmp_path: Path) -> None:
    first = listed(root)
    [kept] = (tmp_path / "cache").glob("*.listing")
    content = kept.read_bytes()
    for damaged in (b"", content[:-9], content.replace(b"1.png", b"2.png"), b"\0" * 100):
        kept.write_bytes(damaged)
        assert listed(root) == first
        assert kept.read_bytes() == content


def test_few_files_and_a_folder_with_files_left_out_are_not_kept(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "link.png").symlink_to("/etc/passwd")
    age(root)
    listed(root)
    (root / "link.png").unlink()
    age(root)
    monkeypatch.setattr(listings, "MANY", 5)
    listed(root)
    assert not (tmp_path / "cache").exists() or not list((tmp_path / "cache").glob("*.listing"))
