"""Processes that run a module of ours end when their block does, or the program."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cnnctl.data.child import child, end_of

WAITS = """\
#!{python}
import time
with open("{pipe}", "w") as pipe:
    print(flush=True)
    time.sleep(100)
    pipe.write("survived")
"""


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.fixture
def waits(pipe: Path) -> Path:
    """A program in the place of Python, which survives if something comes out of the pipe."""
    program = pipe.parent / "waits"
    program.write_text(WAITS.format(python=sys.executable, pipe=pipe))
    program.chmod(0o700)
    return program


def test_it_ends_with_its_block(waits: Path, pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(waits))
    with pytest.raises(KeyError), child("any") as process:
        assert process.stdin and process.stdout
        with pipe.open():
            process.stdout.readline()
        process.stdin.write(b"what nobody reads")
        raise KeyError
    assert end_of(process) == "SIGKILL"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_program_ends_it(number: signal.Signals, waits: Path, pipe: Path) -> None:
    program = (
        "import os, sys, time\n"
        "from cnnctl.data.child import child\n"
        "from cnnctl.interruption import install\n"
        "install()\n"
        f"sys.executable = {str(waits)!r}\n"
        "with child('any') as process:\n"
        "    process.stdout.readline()\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    time.sleep(100)\n"
    )
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process, pipe.open() as file:
        errors = process.communicate()[1]
        assert (process.returncode, errors) == (128 + number, "stopped\n")
        assert file.read() == ""


def test_its_end_has_a_name() -> None:
    for code, name in (("exit 3", "exit code 3"), ("kill -SEGV $$", "SIGSEGV")):
        assert end_of(subprocess.Popen(["sh", "-c", code])) == name
