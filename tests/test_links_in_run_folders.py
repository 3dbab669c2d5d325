"""A run folder that was received changes nothing outside of it, whatever stands in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TINY, invoke

SECRET = b"export PATH\n"
NAMES = [
    "config.yaml",
    "config.source.yaml",
    "environment.json",
    "metrics.jsonl",
    "watch.jsonl",
    "result.json",
    ".lock",
    "checkpoints",
    "checkpoints/last.safetensors",
    "checkpoints/best.safetensors",
    "tensorboard",
    "tensorboard/layers",
    # what the temporary files of earlier versions were called
    ".config.yaml.writing",
    ".metrics.jsonl.writing",
    "checkpoints/.last.safetensors.writing",
    "checkpoints/.best.safetensors.writing",
]
"""What may stand in a run folder; held against a real one below."""

Replace = Callable[[Path, Path], None]


def link(path: Path, outside: Path) -> None:
    """A link to what is outside, of the same content where it is a file of the run."""
    path.symlink_to(outside)


def dangling(path: Path, outside: Path) -> None:
    path.symlink_to(outside.with_name("nowhere"))


def hard_link(path: Path, outside: Path) -> None:
    path.hardlink_to(outside)


def pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
    done = invoke("train", folder / "tiny.yaml", "train.watch=1", "--runs", folder)
    assert done.exit_code == 0, done.output
    return folder / "tiny"


@pytest.fixture
def received(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "runs" / "tiny")
    return tmp_path / "runs" / "tiny"


def test_the_names_are_those_of_a_run(trained: Path) -> None:
    found = {str(path.relative_to(trained)) for path in trained.rglob("*")}
    assert {name for name in found if "events.out" not in name} <= set(NAMES)


def content_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def moved_outside(path: Path, tmp_path: Path) -> Path:
    """Move what stands at a path to a folder outside of the run, or put a file there."""
    outside = tmp_path / "outside" / "target"
    outside.parent.mkdir()
    if path.exists():
        path.rename(outside)
    else:
        outside.write_bytes(SECRET)
    return outside


COMMANDS = (["train", "train.epochs=3", "--resume"], ["eval"], ["summary"])


@pytest.mark.long
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize("replace", [link, dangling, hard_link, pipe], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_outside_of_a_run_folder_changes(
    name: str, replace: Replace, words: list[str], received: Path, tmp_path: Path
) -> None:
    outside = moved_outside(received / name, tmp_path)
    if outside.is_dir() and replace is hard_link:
        return  # there are none of folders
    before = content_of(outside.parent)
    replace(received / name, outside)
    done = invoke(*words, received, COLUMNS="200")
    assert done.exit_code in (0, 4, 6), done.output
    assert done.exit_code == 0 or str(received) in done.output
    assert content_of(outside.parent) == before
    invoke("runs", received.parent)
    assert content_of(outside.parent) == before


WRITTEN = ["config.yaml", "metrics.jsonl", "watch.jsonl", ".lock", "tensorboard", "checkpoints"]


@pytest.mark.parametrize("name", [*WRITTEN, "checkpoints/last.safetensors"])
def test_a_link_in_the_place_of_what_is_written_is_a_fault(
    name: str, received: Path, tmp_path: Path
) -> None:
    outside = moved_outside(received / name, tmp_path)
    before = content_of(outside.parent)
    (received / name).symlink_to(outside)
    done = invoke("train", "--resume", received, "train.epochs=3")
    assert done.exit_code in (4, 6), done.output
    assert content_of(outside.parent) == before
    assert f"{name.rpartition('/')[2]} is a symbolic link" in done.stderr
    assert "replace the link with its target" in done.stderr


def test_a_predictable_temporary_file_is_not_written_through(
    received: Path, tmp_path: Path
) -> None:
    startup = moved_outside(received / ".config.yaml.writing", tmp_path)
    for name in ("config.yaml", "metrics.jsonl", "checkpoints/last.safetensors"):
        path = received / name
        path.with_name(f".{path.name}.writing").symlink_to(startup)
    done = invoke("train", "--resume", received, "train.epochs=3")
    assert done.exit_code == 0, done.output
    assert startup.read_bytes() == SECRET


def test_runs_may_lie_behind_a_link_of_their_owner(tiny: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "runs").symlink_to(disk)
    done = invoke("train", tiny, "--runs", tmp_path / "runs")
    assert done.exit_code == 0, done.output
    (tmp_path / "favourite").symlink_to(disk / "tiny")
    for words in COMMANDS:
        done = invoke(*words, tmp_path / "favourite")
        assert done.exit_code == 0, done.output


def test_a_backup_by_hard_links_keeps_its_content(received: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    shutil.copytree(received, backup, copy_function=os.link)
    before = content_of(backup)
    done = invoke("train", "--resume", received, "train.epochs=3")
    assert done.exit_code == 0, done.output
    assert content_of(backup) == before


def test_temporary_files_of_a_killed_writer_go_when_the_run_goes_on(received: Path) -> None:
    stale = [received / f".{'0' * 16}.writing", received / f"checkpoints/.{'a1' * 8}.writing"]
    kept = [received / ".writing", received / "checkpoints/.mine.writing"]
    for path in (*stale, *kept):
        path.write_bytes(b"half")
    assert invoke("train", "--resume", received).exit_code == 0
    assert not any(path.exists() for path in stale)
    assert all(path.exists() for path in kept)
