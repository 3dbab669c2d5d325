"""A service in a process of its own, and requests of single bytes to it."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import warm
from tests.conftest import environment, invoke
from tests.serving.conftest import CONVOLUTION

HANGS = 120
"""Seconds after which a test is taken to hang."""


def run_of(folder: Path) -> Path:
    """The folder of a run, named `few`."""
    config = folder / "few.yaml"
    config.write_text(CONVOLUTION, encoding="utf-8")
    done = invoke("train", config, "train.epochs=1", "--runs", folder / "runs")
    assert done.exit_code == 0, done.output
    return folder / "runs" / "few"


class Server:
    """A running `cnnctl serve`."""

    def __init__(self, process: warm.Process, port: int, log: Path) -> None:
        self.process, self.port, self.log = process, port, log

    def connect(self) -> socket.socket:
        """A connection of one's own."""
        return socket.create_connection(("127.0.0.1", self.port), HANGS)

    def ask(self, request: bytes) -> bytes:
        """Send these bytes and read until the service closes the connection."""
        with self.connect() as connection:
            sender = threading.Thread(target=_send, args=(connection, request), daemon=True)
            sender.start()
            return read_all(connection)

    def memory(self, name: str = "VmRSS") -> int:
        """MiB of the process, or of its peak, `VmHWM`."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"{name}:\s+(\d+) kB", status)
        assert found
        return int(found[1]) // 1024


def _send(connection: socket.socket, request: bytes) -> None:
    try:
        connection.sendall(request)
    except OSError:  # refused before its end
        return


def read_all(connection: socket.socket) -> bytes:
    """What comes until the connection is closed."""
    received = b""
    try:
        while more := connection.recv(2**16):
            received += more
    except ConnectionError:
        pass
    return received


@contextmanager
def serving(run: Path, *options: str, folder: Path) -> Iterator[Server]:
    """A service of a run, from when it answers."""
    words = ["serve", str(run), "--port", "0", *options]
    log = folder / "log.txt"
    with log.open("wb") as output:
        streams = {1: output.fileno(), 2: output.fileno()}
        process = warm.Process(words, cwd=folder, env=environment(), streams=streams)
    try:
        while not (said := re.search(r"at http://127.0.0.1:(\d+)", log.read_text())):
            assert process.poll() is None, log.read_text()
        yield Server(process, int(said[1]), log)
    finally:
        process.kill()
        process.wait()


def post(
    body: bytes, content_type: str = "image/png", *, path: str = "/predict", more: str = ""
) -> bytes:
    """A request whose connection ends with its answer."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    )
    return head.encode("latin-1") + body


def multipart(*files: tuple[str, bytes], boundary: str = "x-boundary-x") -> bytes:
    """An upload of some files."""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename='
    body = b"".join(
        f'{head}"{name}"\r\n\r\n'.encode() + content + b"\r\n" for name, content in files
    )
    return post(body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}")


def status_of(answer: bytes) -> int:
    """The status of an answer; 0 for a connection that was closed without one."""
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else 0


def json_of(answer: bytes) -> Any:
    """What the body of the first answer says."""
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length
    return json.loads(body[: int(length[1])])
