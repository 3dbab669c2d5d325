"""Processes that run a module of ours: a library of C or Rust that crashes ends only such a one.

The module imports neither torch nor pydantic, so that it starts quickly, and ignores SIGINT:
whoever started it ends it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cnnctl.interruption import forget, undo_at_signal


@contextmanager
def child(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs a module, with pipes for its input and output; it ends with the block."""
    process = subprocess.Popen(
        # -P, or modules would be imported from the current folder
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # libraries print every oddity of a file there, and panics
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    undo_at_signal(process.kill)
    try:
        yield process
    finally:
        _end(process)
        forget(process.kill)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(BrokenPipeError):  # what was written but not read
                pipe.close()
    process.wait()


def end_of(process: subprocess.Popen[bytes]) -> str:
    """How a process ends, once it has: the name of a signal, or `exit code 1`."""
    code = process.wait()
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
