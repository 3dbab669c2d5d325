"""Requests that `cnnctl serve` answers in a second, beside a plain FastAPI app.

    python benchmarks/serving.py [--models lenet resnet20] [--requests 1000] [--clients 32]

Needs `pip install fastapi`. Both serve the same trained network on this machine, in turn in every
round; the plain app is that of plain_service.py. Clients send one picture each as a multipart
upload, over connections that stay open, from a process of their own. Rates are medians over the
rounds; `processor` is the time that the server spent on a request. Every answer of `cnnctl serve`
is compared with that of `cnnctl predict --jsonl`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

MODELS: dict[str, dict[str, Any]] = {
    "lenet": {"shape": [1, 28, 28], "suffix": "png", "model": {"layers": [
        {"conv": {"out_channels": 6, "kernel_size": 5, "padding": 2}}, "tanh", {"avg_pool": 2},
        {"conv": {"out_channels": 16, "kernel_size": 5}}, "tanh", {"avg_pool": 2}, "flatten",
        {"linear": 120}, "tanh", {"linear": 84}, "tanh", {"linear": "classes"},
    ]}},
    "resnet20": {"shape": [3, 32, 32], "suffix": "jpg", "model": {"zoo": "resnet20"}},
    "resnet18": {"shape": [3, 64, 64], "suffix": "jpg", "model": {"zoo": "resnet18"}},
}  # fmt: skip
PICTURES = 50
PLAIN = Path(__file__).with_name("plain_service.py")
SERVERS = ("cnnctl serve", "plain def", "plain async def")


def train(name: str, folder: Path) -> Path:
    """A run of this network, on noise: the work is the same."""
    chosen = MODELS[name]
    plain = {
        "data": {"name": "fake", "shape": chosen["shape"], "samples": 256, "batch_size": 64},
        "model": chosen["model"],
        "optimizer": "sgd",
        "train": {"epochs": 1, "precision": "fp32"},
    }
    config = folder / f"{name}.yaml"
    config.write_text(json.dumps(plain), encoding="utf-8")
    words = [sys.executable, "-m", "cnnctl", "train", config, "--runs", folder]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return folder / name


def draw(name: str, folder: Path) -> list[Path]:
    """Pictures of noise, a little larger than the network takes."""
    channels, height, width = MODELS[name]["shape"]
    random = np.random.default_rng(0)
    paths = []
    for number in range(PICTURES):
        sides = (height + 4, width + 4, *([3] if channels == 3 else []))
        pixels = random.integers(0, 256, sides, np.uint8)
        paths.append(folder / f"{name}-{number}.{MODELS[name]['suffix']}")
        Image.fromarray(pixels).save(paths[-1])
    return paths


@contextmanager
def served(server: str, run: Path, port: int) -> Iterator[int]:
    """A server in a process of its own, from its first answer on."""
    own = ("-m", "cnnctl", "serve", run, "--port", port)
    words = map(str, own if server == SERVERS[0] else (PLAIN, run, port, server))
    env = {**os.environ, "GOMP_SPINCOUNT": "30000"}  # as cnnctl sets it; helps on busy machines
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, *words], stdout=quiet, stderr=quiet, env=env)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError(f"{server} ends with {process.returncode}") from None
                time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def request_of(path: Path) -> bytes:
    """The upload of a picture."""
    boundary, kind = "-" * 24 + "735323031399963166993862", path.suffix.replace(".jpg", ".jpeg")[1:]
    disposition = f'form-data; name="file"; filename="{path.name}"'
    head = f"Content-Disposition: {disposition}\r\nContent-Type: image/{kind}\r\n\r\n"
    content = path.read_bytes()
    body = f"--{boundary}\r\n{head}".encode() + content + f"\r\n--{boundary}--\r\n".encode()
    headers = (
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: benchmark\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return headers.encode() + body


class Client(asyncio.Protocol):
    """Sends one request after another, of those that are left."""

    def __init__(
        self, left: Iterator[int], requests: list[bytes], answers: dict[int, bytes]
    ) -> None:
        self._left, self._requests, self._answers = left, requests, answers
        self._received = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._send()

    def _send(self) -> None:
        self._number = next(self._left, -1)
        if self._number < 0:
            self.done.set_result(None)
            self._transport.close()
        else:
            self._transport.write(self._requests[self._number % len(self._requests)])

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            is_fine = head.startswith(b"HTTP/1.1 200")
            self._answers[self._number] = body if is_fine else b""
            self._received = b""
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def ask(port: int, paths: list[Path], count: int, clients: int) -> None:
    """Send requests, and print the seconds and the answers as JSON."""
    requests, answers, left = (
        [request_of(path) for path in paths],
        dict[int, bytes](),
        iter(range(count)),
    )
    loop, begun = asyncio.get_running_loop(), time.perf_counter()
    made = [
        await loop.create_connection(lambda: Client(left, requests, answers), "127.0.0.1", port)
        for _ in range(clients)
    ]
    await asyncio.gather(*(client.done for _, client in made))
    seconds = time.perf_counter() - begun
    told = {number: json.loads(body) if body else None for number, body in answers.items()}
    print(json.dumps({"seconds": seconds, "answers": told}))


def processor_seconds(pid: int) -> float:
    """What a process has spent so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(name: str, options: argparse.Namespace, folder: Path) -> None:
    """Measure all servers with one network, and print a line for each."""
    run, paths = train(name, folder), draw(name, folder)
    words = [sys.executable, "-m", "cnnctl", "predict", run, *paths, "--jsonl"]
    done = subprocess.run([*map(str, words)], check=True, capture_output=True, text=True)
    expected = [
        {**json.loads(line), "input": path.name}
        for line, path in zip(done.stdout.splitlines(), paths, strict=True)
    ]
    rates: dict[str, list[float]] = {server: [] for server in SERVERS}
    processor: dict[str, list[float]] = {server: [] for server in SERVERS}
    lost = wrong = 0
    for _ in range(options.rounds):
        for number, server in enumerate(SERVERS):
            with served(server, run, port := options.port + number) as pid:
                ask_in_process(port, paths, 2 * options.clients, options)  # warm up
                before = processor_seconds(pid)
                found = ask_in_process(port, paths, options.requests, options)
                processor[server].append((processor_seconds(pid) - before) / options.requests)
            rates[server].append(options.requests / found["seconds"])
            answers = [found["answers"].get(str(at)) for at in range(options.requests)]
            lost += answers.count(None)
            if server == SERVERS[0]:
                wanted = (expected[at % PICTURES] for at in range(options.requests))
                wrong += sum(
                    own is not None and own["answers"] != [want]
                    for own, want in zip(answers, wanted, strict=True)
                )
    medians = {server: statistics.median(each) for server, each in rates.items()}
    for server in SERVERS:
        times = medians[SERVERS[0]] / medians[server]
        milliseconds = 1000 * statistics.median(processor[server])
        rate = f"{medians[server]:8.0f}/s  {times:5.2f} x  processor {milliseconds:6.2f} ms"
        print(f"{name:10} {server:16} {rate}", flush=True)
    print(f"{name:10} lost {lost}, wrong {wrong}")


def ask_in_process(
    port: int, paths: list[Path], count: int, options: argparse.Namespace
) -> dict[str, Any]:
    """Let a process of its own be the clients."""
    words = [
        sys.executable,
        __file__,
        "--ask",
        str(port),
        str(count),
        str(options.clients),
        *map(str, paths),
    ]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    if sys.argv[1:2] == ["--ask"]:
        port, count, clients = map(int, sys.argv[2:5])
        asyncio.run(ask(port, [*map(Path, sys.argv[5:])], count, clients))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["lenet", "resnet20"], choices=MODELS)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--port", type=int, default=8100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in options.models:
            measure(name, options, Path(folder))


if __name__ == "__main__":
    main()
