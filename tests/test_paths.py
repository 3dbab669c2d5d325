"""Whatever the system says of a path is a fault with its words, and no traceback."""

from __future__ import annotations

import ctypes
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import Result

from cnnctl.commands import split_words
from cnnctl.config.source import read_file
from cnnctl.config.writing import dump
from cnnctl.errors import FaultError
from cnnctl.paths import from_anywhere, is_file, is_folder, is_there
from cnnctl.storage import contents
from tests.conftest import TINY, Cli, command, environment, invoke

LONG = "x" * 300


@pytest.fixture
def shut(tiny: Path) -> Iterator[Path]:
    """A folder that may not be looked into, by nobody."""
    folder = tiny.parent / "shut"
    (folder / "run").mkdir(parents=True)
    for name in ("tiny.yaml", "p.py", "w.pt"):
        (folder / name).write_text(TINY, encoding="utf-8")
    (tiny.parent / "based.yaml").write_text("base: shut/tiny.yaml\n", encoding="utf-8")
    folder.chmod(0)
    yield folder
    folder.chmod(0o700)


def give_up_rights() -> None:
    """Take from this thread of root's what root may do to files that are closed to it.

    These rights are the effective and the permitted words that capset(2) sets.
    """
    if os.geteuid() == 0 and sys.platform.startswith("linux"):
        libc, header = ctypes.CDLL(None), struct.pack("Ii", 0x20080522, 0)
        assert libc.capset(header, bytes(24)) == 0


def barred(*arguments: str) -> Result:
    """A command as somebody who has no more rights than others."""

    def run() -> Result | None:
        give_up_rights()
        return None if os.access("shut", os.R_OK) else invoke(*arguments)

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(run).result()
    return done or pytest.skip("nothing is shut to this user")


DENIED = "cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("train shut/tiny.yaml", 2, f"shut/tiny.yaml: {DENIED}"),
        ("train shut/a=b", 2, "no config file given"),
        ("check shut/tiny.yaml", 2, f"shut/tiny.yaml: {DENIED}"),
        ("check based.yaml", 2, f"based.yaml:1:7: base: shut/tiny.yaml: {DENIED}"),
        ("summary shut/tiny.yaml", 2, f"shut/tiny.yaml: {DENIED}"),
        ("summary shut", 2, "path 'shut' is not readable\n    check its permissions"),
        ("summary tiny.yaml --graph shut/x.dot", 6, "cannot be written: Permission denied"),
        ("eval shut/run", 4, f"shut/run: {DENIED}"),
        ("train --resume shut/run", 4, "shut/run: no such run folder or checkpoint"),
        ("train tiny.yaml plugins=[shut/p.py]", 2, "shut/p.py: Permission denied"),
        ("train tiny.yaml model.weights=shut/w.pt", 2, "no such file: shut/w.pt"),
        ("train tiny.yaml --runs shut/runs", 6, "cannot be written: Permission denied"),
        ("train tiny.yaml data=mnist --data shut/d", 6, "shut/d: Permission denied"),
        ("runs shut/runs", 6, f"shut/runs: {DENIED}"),
        ("shut/tiny.yaml", 2, "write cnnctl train shut/tiny.yaml"),
    ],
)
def test_an_unreadable_folder_is_reported(
    arguments: str, code: int, said: str, shut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shut.parent)
    done = barred(*arguments.split())
    assert said in done.stderr
    assert done.exit_code == code


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (f"train {LONG}.yaml", 2, "cannot be read: File name too long"),
        (f"train {LONG}", 2, "cannot be read: File name too long"),
        (f"summary {LONG}.yaml", 2, "cannot be read: File name too long"),
        (f"eval {LONG}", 4, "cannot be read: File name too long"),
        (f"train tiny.yaml plugins=[{LONG}.py]", 2, "File name too long"),
        (f"train tiny.yaml model.weights={LONG}.pt", 2, "no such file:"),
        (f"train tiny.yaml --runs {LONG}", 6, "cannot be written: File name too long"),
        (f"train tiny.yaml --resume --runs {LONG}", 6, "cannot be read: File name too long"),
        (f"train tiny.yaml data=mnist --data {LONG}", 6, "File name too long"),
        (f"summary tiny.yaml --graph {LONG}.dot", 6, "cannot be written: File name too long"),
        (f"runs {LONG}", 6, "cannot be read: File name too long"),
        (f"{LONG}.yaml", 2, "write cnnctl train"),
        ("train folder.yaml", 2, "folder.yaml: is a folder, not a file"),
        ("summary folder.yaml", 4, "folder.yaml: has no checkpoints"),
        ("train tiny.yaml plugins=[folder.py]", 2, "folder.py: Is a directory"),
        ("train tiny.yaml model.weights=folder.pt", 2, "no such file: folder.pt"),
        ("train tiny.yaml --runs file", 6, "file: cannot be written: File exists"),
        ("train tiny.yaml --runs file/x", 6, "file/x: cannot be written: Not a directory"),
        ("train tiny.yaml data=mnist --data file", 6, "cannot write to"),
        ("train file/x.yaml", 2, "file/x.yaml: cannot be read: Not a directory"),
        ("eval file/x", 4, "file/x: cannot be read: Not a directory"),
        ("runs file", 6, "file: cannot be read: Not a directory\n    give a folder"),
        ("summary tiny.yaml --graph file/x.dot", 6, "cannot be written: Not a directory"),
        ("summary tiny.yaml --graph folder.dot", 6, "cannot be written: Is a directory"),
        ("train loop.yaml", 2, "cannot be read: Too many levels of symbolic links"),
        ("check based.yaml", 2, "base: loop.yaml: cannot be read: Too many levels"),
        ("eval loop.yaml/x", 4, "cannot be read: Too many levels of symbolic links"),
        ("train tiny.yaml plugins=[loop.py]", 2, "Too many levels of symbolic links"),
        ("train tiny.yaml --runs loop.py", 6, "cannot be written: "),
        ("runs loop.py", 6, "cannot be read: Too many levels of symbolic links"),
        ("train tiny.yaml data=mnist --data ~nosuchuser/d", 3, "unknown home folder ~no"),
        ("train ~nosuchuser/x.yaml", 2, "~nosuchuser/x.yaml: no such file"),
    ],
)
def test_a_missing_file_or_folder_is_reported(
    arguments: str, code: int, said: str, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.parent)
    for name in ("folder.yaml", "folder.py", "folder.pt", "folder.dot"):
        Path(name).mkdir()
    Path("file").touch()
    for name in ("loop.yaml", "loop.py"):
        Path(name).symlink_to(name)
    Path("based.yaml").write_text("base: loop.yaml\n", encoding="utf-8")
    done = invoke(*arguments.split())
    assert said in done.stderr
    assert done.exit_code == code


def test_a_current_folder_that_was_deleted_is_reported(tiny: Path) -> None:
    gone = tiny.parent / "gone"
    gone.mkdir()
    for words in (["check", str(tiny)], ["runs"], ["train", str(tiny)]):
        script = 'cd "$0" && rmdir "$0"; mkdir -p "$0"; exec "$@"'
        done = subprocess.run(
            ["sh", "-c", script, str(gone), *command(*words)],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 6
        assert done.stderr == (
            "the current folder: cannot be read: No such file or directory\n"
            "    change to an existing folder\n"
        )


STRANGE = os.fsdecode(b"b\xffd")
"""A name that is not UTF-8."""


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A folder whose name is not UTF-8, with an experiment that names a file in it."""
    folder = tmp_path / STRANGE
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("here, every name is UTF-8")
    (folder / "p.py").touch()
    (folder / "x.yaml").write_text(f"plugins: [p.py]\n{TINY}", encoding="utf-8")
    return folder


def test_a_run_in_a_folder_that_is_not_utf_8(strange: Path, cli: Cli) -> None:
    done = cli("train", "x.yaml", "train.epochs=1", cwd=strange)
    assert (done.returncode, done.stderr) == (0, "")
    run = strange / "runs" / "x"
    facts = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    assert facts["folder"].endswith(STRANGE)
    again = cli("train", "runs/x/config.yaml", "train.epochs=1", cwd=strange)
    assert (again.returncode, again.stderr) == (0, "")
    more = cli("train", "--resume", run, "train.epochs=2", "--plugin", "p.py", cwd=strange)
    assert (more.returncode, more.stderr) == (0, "")
    assert f"run folder: {strange.parent}/b\\xffd/runs/x\n" in more.stdout
    assert cli("eval", run, "--plugin", strange / "p.py").returncode == 0


def test_arguments_that_are_not_utf_8(strange: Path, cli: Cli) -> None:
    config = f"{STRANGE}/x.yaml"
    done = cli("train", config, "train.epochs=1", "--runs", STRANGE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "run folder: b\\xffd/x\n" in done.stdout
    assert cli("check", config).stdout == "b\\xffd/x.yaml: no problems found\n"
    for words in (["eval", STRANGE], ["train", config, f"{STRANGE}=1"], ["list", STRANGE]):
        done = cli(*words)
        assert done.returncode in (2, 4)
        assert "b\\xffd" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_path_that_is_not_utf_8_is_written_and_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(dump({"plugins": [f"{STRANGE}.py"]}), encoding="utf-8")
    assert read_file(path).plain() == {"plugins": [f"{STRANGE}.py"]}


@pytest.mark.parametrize("name", ["a\0b", LONG, f"{LONG}/x", "file/x", "nowhere"])
def test_asking_for_a_path_raises_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / name
    assert not (is_there(path) or is_file(path) or is_folder(path))


def test_contents_come_in_order_and_of_no_folder_there_are_none(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / name).touch()
    assert [path.name for path in contents(tmp_path)] == ["a", "b", "c"]
    assert contents(tmp_path / "nowhere") == []


def test_a_path_holds_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert from_anywhere(Path("a")) == tmp_path / "a"
    assert from_anywhere(Path("~/a")) == Path("/home/somebody/a")
    with pytest.raises(OSError, match="unknown home folder ~nosuchuser"):
        from_anywhere(Path("~nosuchuser/a"))


@pytest.mark.parametrize(
    ("words", "source", "others"),
    [
        ([], None, []),
        (["a=1"], None, ["a=1"]),
        (["x.yaml"], "x.yaml", []),
        (["a=1", "x.yaml", "b=2"], "x.yaml", ["a=1", "b=2"]),
        (["x.yaml", "a=1", "b"], "x.yaml", ["a=1", "b"]),
        (["b", "a=1", "x.yaml"], "x.yaml", ["b", "a=1"]),
        (["lenet5", "a=1"], "lenet5", ["a=1"]),
        (["c=d.yaml", "a=1"], "c=d.yaml", ["a=1"]),
    ],
)
def test_the_source_is_what_is_no_override(
    words: list[str],
    source: str | None,
    others: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c=d.yaml").touch()
    assert split_words(words, for_two="name one") == (source, others)


def test_two_sources_are_a_fault() -> None:
    with pytest.raises(
        FaultError, match=r"expected one, but got 2: a\.yaml, b\.yaml\n    name one"
    ):
        split_words(["a.yaml", "x=1", "b.yaml"], for_two="name one")


def test_overrides_may_stand_before_the_file(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny.parent)
    done = invoke("train", "train.epochs=1", "tiny.yaml", "seed=3")
    assert done.exit_code == 0, done.output
    kept = Path("runs/tiny/config.source.yaml").read_text(encoding="utf-8")
    assert kept == f"# overrides: train.epochs=1 seed=3\n{TINY}"
    assert invoke("summary", "data.batch_size=7", tiny).exit_code == 0
    shown = invoke("show", "resnet18", "width=32").stdout
    assert invoke("show", "width=32", "resnet18").stdout == shown
    for words in (["train"], ["train", "train.epochs=1"]):
        done = invoke(*words)
        assert done.exit_code == 2
        assert done.stderr == "no config file given\n    try cnnctl train lenet\n"
