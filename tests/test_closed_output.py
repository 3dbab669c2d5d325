"""Standard output on a full disk is a fault of every command; what is closed is nobody's loss."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cnnctl import __version__
from tests import warm
from tests.conftest import command, environment

FULL = Path("/dev/full")
COMMANDS = [
    *(["--help"], ["train", "tiny.yaml"]),
    *(["--version"], ["list"], ["list", "layers", "--json"], ["schema"], ["runs"]),
    *(["show", "lenet5"], ["check", "tiny.yaml"], ["summary", "tiny.yaml"]),
]
on_a_full_disk = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


def in_shell(words: list[str], redirection: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f"{shlex.join(words)} {redirection}"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def on_full(words: list[str], folder: Path, *numbers: int) -> subprocess.CompletedProcess[str]:
    """Run a command with these of its streams on a full disk."""
    with FULL.open("w") as full:
        streams = dict.fromkeys(numbers, full.fileno())
        return warm.run(words, cwd=folder, env=environment(), streams=streams)


def assert_said(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 6
    assert done.stderr == (
        "standard output: cannot be written: No space left on device\n"
        "    free some space, or write the output elsewhere\n"
    )


@on_a_full_disk
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_full_disk_below_the_output_is_reported(words: list[str], tiny: Path) -> None:
    assert_said(on_full(words, tiny.parent, 1))


@on_a_full_disk
@pytest.mark.parametrize(
    "words",
    [["--help"], *(pytest.param(words, marks=pytest.mark.long) for words in COMMANDS[1:])],
    ids=lambda words: words[0],
)
def test_a_new_process_says_so_too(words: list[str], tiny: Path) -> None:
    assert_said(in_shell(command(*words), f">{FULL}", tiny.parent))


@on_a_full_disk
def test_buffered_output_is_written_before_exit() -> None:
    program = "import cnnctl.cli as cli\ncli.app = lambda words: print('text')\ncli.main()"
    script = shlex.join([sys.executable, "-c", program])
    done = subprocess.run(
        ["sh", "-c", f"{script} >{FULL}"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 6
    assert done.stderr.startswith("standard output: cannot be written")


@on_a_full_disk
@pytest.mark.parametrize("numbers", [(1, 2), (2,)])
def test_a_fault_keeps_its_exit_code_if_it_cannot_be_printed(
    numbers: tuple[int, ...], tmp_path: Path
) -> None:
    assert on_full(["check", "no.yaml"], tmp_path, *numbers).returncode == 2


@pytest.mark.long
@on_a_full_disk
@pytest.mark.parametrize("output", [f">{FULL}", "", ">&-"])
def test_a_fault_of_a_new_process_keeps_its_code_too(output: str, tmp_path: Path) -> None:
    assert in_shell(command("check", "no.yaml"), f"{output} 2>{FULL}", tmp_path).returncode == 2


every_closed = pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])


@every_closed
def test_a_file_does_not_take_the_place_of_a_closed_stream(closed: str, tmp_path: Path) -> None:
    command = "file = open('file', 'w'); print('output'); print('error', file=sys.stderr)"
    program = f"import sys\nimport cnnctl.cli as cli\ncli.app = lambda words: exec({command!r})\n"
    done = in_shell([sys.executable, "-c", f"{program}cli.main()"], closed, tmp_path)
    assert done.returncode == 0
    assert done.stdout == ("" if ">&-" in closed.split() else "output\n")
    assert done.stderr == ("" if "2>&-" in closed.split() else "error\n")
    assert (tmp_path / "file").read_text(encoding="utf-8") == ""


@pytest.mark.long
@every_closed
def test_a_closed_stream_is_written_to_by_nobody(closed: str, tiny: Path) -> None:
    done = in_shell(command("train", "tiny.yaml"), closed, tiny.parent)
    assert done.returncode == 0
    assert done.stderr == ""
    run = tiny.parent / "runs" / "tiny"
    files = [path for path in run.rglob("*") if path.is_file()]
    assert len(files) >= 6
    assert not any(b"best epoch" in path.read_bytes() for path in files)


def test_a_closed_error_stream_leaves_the_output_alone(tmp_path: Path) -> None:
    assert in_shell(command("--version"), "2>&-", tmp_path).stdout == f"cnnctl {__version__}\n"
