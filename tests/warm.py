"""cnnctl in processes that start warm: forked from one that has done all imports.

Such a process has its own exit code, streams, folder, environment and signals, as one that a shell
starts; it saves the imports, several seconds of a core. What happens while Python starts, and what
is read then, is tested with `command()` of `conftest`. At its end modules are not taken apart,
which would take longer than most commands do, unless it `is_taken_apart`. Typer has made the
commands already, which takes as long as most of them.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any
from weakref import finalize

LARGEST = 2**17
"""Bytes of a request: arguments and environment."""
SECONDS_TO_START = 120


IMPORTED = (
    "sklearn.datasets",
    "torchmetrics",
    "torchvision",
    "cnnctl.cli",
    "cnnctl.evaluation.evaluate",
    "cnnctl.inspection.unknown_modules",
    "cnnctl.training.recipe",
)


class Process:
    """A warm process; what it writes is read by `communicate`, but for streams that are given."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        streams: Mapping[int, int] = MappingProxyType({}),
        is_taken_apart: bool = False,
    ) -> None:
        """Start it; `streams` are descriptors of this process for its 0, 1 and 2."""
        self.args = list(arguments)
        self.returncode: int | None = None
        ours, theirs = zip(*(os.pipe() for _ in range(2)), strict=True)
        request = {"arguments": self.args, "cwd": str(cwd), "env": dict(env)}
        with Path(os.devnull).open() as nothing:
            own = (nothing.fileno(), *theirs)
            passed = [streams.get(number, stream) for number, stream in enumerate(own)]
            self.pid = int(_ask(request | {"is_taken_apart": is_taken_apart}, passed))
        for end in theirs:
            os.close(end)
        self._written = {end: bytearray() for end in ours}
        self._open = set(ours)

    def poll(self) -> int | None:
        """The exit code, minus the signal that ended it, or None while it runs."""
        self._read(0.001)  # long enough for a loop that waits to leave the core to others
        if self.returncode is None:
            self.returncode = _ask({"poll": self.pid})
        return self.returncode

    def wait(self) -> int:
        """Read what it writes to its end; the exit code."""
        while self._open:
            self._read(None)
        while self.poll() is None:
            time.sleep(0.001)
        assert self.returncode is not None
        return self.returncode

    def communicate(self) -> tuple[str, str]:
        """Wait for its end; standard output and standard error."""
        self.wait()
        output, errors = (
            bytes(written).decode(errors="replace") for written in self._written.values()
        )
        return output, errors

    def send_signal(self, number: int) -> None:
        """Send it a signal at once, unless its end was seen; until then its number is its own."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def _read(self, seconds: float | None) -> None:
        for end in select.select([*self._open], [], [], seconds)[0]:
            if more := os.read(end, 2**16):
                self._written[end] += more
            else:
                self._open.discard(end)
                os.close(end)


def run(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], **more: Any
) -> subprocess.CompletedProcess[str]:
    """Run cnnctl with these arguments to its end."""
    process = Process(arguments, cwd=cwd, env=env, **more)
    output, errors = process.communicate()
    return subprocess.CompletedProcess(arguments, process.wait(), output, errors)


def _ask(request: dict[str, Any], streams: Sequence[int] = ()) -> Any:
    connection = _server()
    socket.send_fds(connection, [json.dumps(request).encode()], streams)
    return json.loads(connection.recv(LARGEST))


@cache
def _server() -> socket.socket:
    """The connection to the process that forks; it ends when the connection does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    words = [sys.executable, "-m", "tests.warm", str(theirs.fileno())]
    env = {**os.environ, "PYTHONUTF8": "1", "GOMP_SPINCOUNT": "30000"}
    root = Path(__file__).parent.parent
    subprocess.Popen(words, cwd=root, env=env, pass_fds=[theirs.fileno()])
    theirs.close()
    ours.settimeout(SECONDS_TO_START)
    return ours


def _serve(connection: socket.socket) -> dict[str, Any]:
    """Fork a process for each request; returns it in each of them, and never in this one."""
    while True:
        message, streams, _, _ = socket.recv_fds(connection, LARGEST, 3)
        if not message:
            os._exit(0)
        request: dict[str, Any] = json.loads(message)
        if "poll" in request:
            answer = _exit_code(request["poll"])
        else:
            answer = os.fork()
            if answer == 0:
                connection.close()
                _become(request, streams)
                return request
            for stream in streams:
                os.close(stream)
        connection.send(json.dumps(answer).encode())


def _exit_code(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _become(request: dict[str, Any], streams: Sequence[int]) -> None:
    """Take on what a new process has from the one that starts it."""
    from cnnctl import __main__, interruption

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [str(__main__.__file__), *request["arguments"]]
    _write_to(1, "stdout", errors="surrogateescape")
    _write_to(2, "stderr", errors="backslashreplace", buffering=1)
    interruption._owner = os.getpid()


def _write_to(number: int, name: str, *, errors: str, buffering: int = -1) -> None:
    """Open one of sys's streams as Python does where a program starts in UTF-8 mode."""
    stream = os.fdopen(number, "w", buffering, encoding="utf-8", errors=errors, closefd=False)
    setattr(sys, name, stream)
    # else the one of before would be closed, and with it the file
    setattr(sys, f"__{name}__", stream)


def _make_commands_once() -> None:
    """Let every process that is forked find the commands made."""
    import typer.main

    from cnnctl.commands import app

    made = cache(typer.main.get_command)
    made(app)
    typer.main.get_command = made


def _finalizers() -> list[finalize[..., Any]]:
    """What is done at the end of this process to objects that live until then."""
    return [*vars(finalize)["_registry"]]


def _leave(leaving: SystemExit, imported: Iterable[finalize[..., Any]]) -> None:
    """End as Python does, except that its modules are not taken apart.

    What they `imported` is not either; torch alone has 200 libraries to unregister.

    Returns where what is buffered cannot be written: what Python then does, it does itself.
    """
    # waits for threads, and for those of concurrent.futures; nothing public does
    threading._shutdown()  # type: ignore[attr-defined]
    for each in imported:
        each.atexit = False
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return
    if isinstance(leaving.code, int | None):
        os._exit(leaving.code or 0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C at a terminal is meant for pytest
    for module in IMPORTED:
        import_module(module)
    _make_commands_once()
    imported = _finalizers()
    gc.freeze()  # what a process never looks at, it shares with this one
    request = _serve(socket.socket(fileno=int(sys.argv[1])))
    from cnnctl.__main__ import main

    try:
        main()
    except SystemExit as leaving:
        if not request["is_taken_apart"]:
            _leave(leaving, imported)
        raise
