"""A pipe is read once, and only as a configuration; nothing waits for one, or reads a device."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from cnnctl.config.source import MAX_BYTES
from tests import warm
from tests.conftest import TINY, Cli, environment
from tests.warm import Process


def piped(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose standard input is a pipe with this text."""
    reading, writing = os.pipe()
    writer = Thread(target=write, args=(writing, text))
    writer.start()
    done = warm.run(arguments, cwd=folder, env=environment(), streams={0: reading})
    os.close(reading)  # so that a text that is not read to its end is not waited for
    writer.join()
    return done


def write(pipe: int, text: str) -> None:
    with suppress(BrokenPipeError), os.fdopen(pipe, "w", encoding="utf-8") as file:
        file.write(text)


def test_a_configuration_from_a_pipe_is_kept_as_it_was_read(tmp_path: Path) -> None:
    text = f"name: piped\n{TINY}"
    done = piped(tmp_path, text, "train", "/dev/stdin", "train.epochs=1")
    assert done.returncode == 0, done.stderr
    kept = (tmp_path / "runs" / "piped" / "config.source.yaml").read_text(encoding="utf-8")
    assert kept == f"# overrides: train.epochs=1\n{text}"


@pytest.mark.parametrize("name", ["check", "summary"])
def test_a_pipe_can_be_checked_and_shown(name: str, tmp_path: Path) -> None:
    done = piped(tmp_path, TINY, name, "/dev/stdin")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_named_pipe_is_read_until_its_writer_closes_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    os.write(writer, TINY.encode())
    process = Process(["check", str(pipe)], cwd=tmp_path, env=environment())
    while unread(writer):
        assert process.poll() is None
    os.close(writer)
    assert process.communicate()[0] == f"{pipe}: no problems found\n"


def unread(pipe: int) -> int:
    """The bytes that are in a pipe."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_a_pipe_that_never_ends_is_read_to_the_bound(tmp_path: Path) -> None:
    done = piped(tmp_path, "#" * (MAX_BYTES + 1), "check", "/dev/stdin")
    assert done.returncode == 2
    assert done.stderr.startswith("/dev/stdin: is too large\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("check pipe", 2, "pipe: cannot be read: a pipe that nobody writes to"),
        ("train pipe.yaml", 2, "pipe.yaml: cannot be read: a pipe that nobody writes to"),
        ("check based.yaml", 2, "based.yaml:1:7: base: pipe: cannot be read: a pipe"),
        ("summary pipe.yaml", 2, "pipe.yaml: cannot be read: a pipe that nobody writes to"),
        ("check plugged.yaml", 2, "pipe.py: a pipe or a device, not a regular file"),
        ("check tiny.yaml /dev/zero", 2, "/dev/zero: cannot be read: a pipe or a device"),
        ("train tiny.yaml model.weights=pipe.pt", 2, "no such file: pipe.pt"),
        ("eval pipe.safetensors", 4, "cannot be read: a pipe or a device"),
        ("eval pipe", 4, "cannot be read: a pipe or a device, not a regular file"),
        ("eval /dev/zero", 4, "/dev/zero: cannot be read: a pipe or a device"),
        ("eval runs/x", 4, "best.safetensors: cannot be read: a pipe or a device"),
        ("train --resume pipe", 4, "pipe: no such run folder or checkpoint"),
        ("runs", 0, "metrics.jsonl: cannot be read: a pipe or a device"),
    ],
)
def test_nothing_waits_for_a_pipe_or_reads_a_device(
    arguments: str, code: int, said: str, tiny: Path, cli: Cli
) -> None:
    folder = tiny.parent
    (folder / "runs" / "x" / "checkpoints").mkdir(parents=True)
    (folder / "runs" / "x" / "config.yaml").write_text("name: x\n", encoding="utf-8")
    pipes = ("pipe", "pipe.yaml", "pipe.py", "pipe.pt", "pipe.safetensors", "runs/x/metrics.jsonl")
    for name in (*pipes, "runs/x/checkpoints/best.safetensors"):
        os.mkfifo(folder / name)
    (folder / "based.yaml").write_text("base: pipe\n", encoding="utf-8")
    (folder / "plugged.yaml").write_text(f"plugins: [pipe.py]\n{TINY}", encoding="utf-8")
    done = cli(*arguments.split())
    assert said in done.stderr
    assert done.returncode == code
