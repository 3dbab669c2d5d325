import io
import os
import sys
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.files import MAX_DEPTH, forget_tree, open_tree, remembered_tree
from cnnctl.errors import ExitCode, FaultError

CONTENT = {"a/one.txt": b"1", "a/b/two words.txt": b"22", "汉字/é\n.txt": b"333", "top.txt": b""}


def folder(root: Path) -> Path:
    for name, content in CONTENT.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def zipped(root: Path) -> Path:
    with zipfile.ZipFile(root / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in CONTENT.items():
            archive.writestr(name, content)
    return root / "x.zip"


TARS = {"tar": "w", "tar.gz": "w:gz", "tgz": "w:gz", "tar.xz": "w:xz", "tar.bz2": "w:bz2"}


def tarred(root: Path, suffix: str = "tar") -> Path:
    path = root / f"x.{suffix}"
    with tarfile.open(path, TARS[suffix]) as archive:  # type: ignore[call-overload]
        for name, content in reversed(CONTENT.items()):
            add(archive, name, content)
    return path


def add(archive: tarfile.TarFile, name: str, content: bytes = b"", **more: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for key, value in more.items():
        setattr(member, key, value)
    archive.addfile(member, io.BytesIO(content))


MADE: dict[str, Callable[[Path], Path]] = {
    "folder": folder,
    "zip": zipped,
    **{suffix: partial(tarred, suffix=suffix) for suffix in TARS},
}


def content_of(tree: FileTree) -> dict[str, bytes]:
    return {entry.name: tree.read(entry, limit=100) for entry in tree.entries}


@pytest.mark.parametrize("kind", MADE)
def test_folders_and_archives_hold_the_same_files(kind: str, tmp_path: Path) -> None:
    tree = open_tree(MADE[kind](tmp_path))
    assert content_of(tree) == CONTENT
    assert [entry.name for entry in tree.entries] == sorted(CONTENT)
    assert [entry.size for entry in tree.entries] == [len(CONTENT[e.name]) for e in tree.entries]
    assert tree.left_out == []


@pytest.mark.parametrize("kind", MADE)
def test_a_file_above_the_limit_is_not_read(kind: str, tmp_path: Path) -> None:
    tree = open_tree(MADE[kind](tmp_path))
    largest = max(tree.entries, key=lambda entry: entry.size)
    with pytest.raises(FaultError, match="3 bytes, more than the limit of 2") as error:
        tree.read(largest, limit=2)
    assert error.value.exit_code is ExitCode.DATA


def test_what_a_system_puts_beside_files_is_no_file(tmp_path: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", ".hidden/x.txt", "__MACOSX/._x", "seen.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    tree = open_tree(tmp_path)
    assert [entry.name for entry in tree.entries] == ["seen.txt"]
    assert tree.left_out == []


def test_links_are_followed_only_inside(tmp_path: Path) -> None:
    outside, root = tmp_path / "secret.txt", tmp_path / "root"
    outside.write_text("secret")
    (root / "a").mkdir(parents=True)
    (root / "a" / "real.txt").write_text("real")
    (root / "inside.txt").symlink_to("a/real.txt")
    (root / "outside.txt").symlink_to(outside)
    (root / "loop").symlink_to(root)
    (root / "a" / "up").symlink_to("..")
    (root / "round.txt").symlink_to("round.txt")
    (root / "nowhere.txt").symlink_to("gone.txt")
    os.mkfifo(root / "pipe.txt")
    tree = open_tree(root)
    assert content_of(tree) == {"a/real.txt": b"real", "inside.txt": b"real"}
    left_out = {"outside.txt", "loop", "a/up", "round.txt", "nowhere.txt", "pipe.txt"}
    assert {each.name for each in tree.left_out} == left_out
    assert all(each.reason for each in tree.left_out)


def test_the_root_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder(tmp_path / "root"))
    assert content_of(open_tree(tmp_path / "link")) == CONTENT


UNSAFE = ("../up.txt", "/etc/root.txt", "a/../../up.txt", "C:/windows.txt", "..\\up.txt")


def test_an_archive_leads_nowhere_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in (*UNSAFE, "good.txt"):
            archive.writestr(name, b"x")
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, b"/etc/passwd")
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for name in (*UNSAFE, "good.txt"):
            add(tar, name, b"x")
        add(tar, "link.txt", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        add(tar, "hard.txt", type=tarfile.LNKTYPE, linkname="good.txt")
        add(tar, "device", type=tarfile.CHRTYPE)
    for name in ("x.zip", "x.tar"):
        tree = open_tree(tmp_path / name)
        assert content_of(tree) == {"good.txt": b"x"}
        assert len(tree.left_out) == len(UNSAFE) + (1 if name == "x.zip" else 3)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize("keep", [0, 10, 50_000])
def test_a_damaged_archive_is_a_data_fault(
    kind: str, keep: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONTENT, "noise.txt", os.urandom(100_000))
    path = MADE[kind](tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FaultError) as error:
        tree = open_tree(path)
        [tree.read(entry, limit=100_000) for entry in tree.entries]
    assert error.value.exit_code is ExitCode.DATA
    assert str(path) in error.value.faults[0].place


def test_a_size_that_a_zip_makes_up_is_no_size(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.txt", b"0" * 1_000_000)
    content = path.read_bytes()
    true, false = ((size).to_bytes(4, "little") for size in (1_000_000, 10))
    path.write_bytes(content.replace(true, false))
    tree = open_tree(path)
    [entry] = tree.entries
    assert entry.size == 10
    with pytest.raises(FaultError):
        tree.read(entry, limit=100)


def test_a_file_that_changed_since_is_a_fault(tmp_path: Path) -> None:
    tree = open_tree(folder(tmp_path))
    assert content_of(tree) == CONTENT
    (tmp_path / "a" / "one.txt").write_bytes(b"longer")
    with pytest.raises(FaultError):
        content_of(tree)
    (tmp_path / "a" / "one.txt").unlink()
    with pytest.raises(FaultError, match="cannot be read: No such file"):
        tree.read(Entry("a/one.txt", 1, 0), limit=9)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_left_out(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "a").chmod(0)
    try:
        tree = open_tree(tmp_path)
        assert "a/one.txt" not in {entry.name for entry in tree.entries}
        assert [each.name for each in tree.left_out] == ["a/"]
    finally:
        (tmp_path / "a").chmod(0o755)


def test_folders_are_followed_to_a_depth(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * (MAX_DEPTH + 1))
    deep.mkdir(parents=True)
    (deep / "x.txt").touch()
    tree = open_tree(tmp_path)
    assert tree.entries == []
    assert "folders deep" in tree.left_out[0].reason


@pytest.mark.parametrize("name", ["missing", "notes.txt"])
def test_what_is_no_source_of_files_is_a_fault(name: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FaultError, match=r"no such folder|neither a folder nor") as error:
        open_tree(tmp_path / name)
    assert error.value.exit_code is ExitCode.DATA


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have names in Unicode")
def test_names_that_are_no_unicode_are_kept(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_bytes(b"x")
    [entry] = open_tree(tmp_path).entries
    assert os.fsencode(entry.name) == b"caf\xe9.txt"
    assert open_tree(tmp_path).read(entry, limit=9) == b"x"


def test_files_are_listed_once_until_they_are_forgotten(tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    forget_tree()
    before = remembered_tree(tmp_path).entries
    (tmp_path / "two").touch()
    assert remembered_tree(tmp_path).entries is before
    forget_tree()
    assert [entry.name for entry in remembered_tree(tmp_path).entries] == ["one", "two"]
    forget_tree()
