"""Images a second of `cnnctl train` beside the loops that people write by hand, on MNIST.

    python benchmarks/training_speed.py [--data DIR] [--rounds 3] [--models lenet mlp]

Every contender trains the same network with the same optimizer on the same images, in a process of
its own, in turn, for several rounds, so that a noisy machine is noisy for all. The figure of a
contender is the median over rounds of its fastest epoch after the first (in which it may warm up
or compile). What `cnnctl` chooses by itself (precision, memory format, compile) is left to it.
Without --data, images of noise stand in for MNIST; the work is the same.

The contenders:
    example   PyTorch's MNIST example: datasets.MNIST, per-sample transforms, DataLoader
    dataset   a TensorDataset of normalised images and a DataLoader
    memory    normalised images in memory, a permutation an epoch, an index a batch; fp32
    cnnctl    cnnctl train
    compiled  cnnctl train with train.compile=true, which `auto` never chooses
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

EPOCHS = 3
MODELS = {
    "lenet": """
    - conv: {out_channels: 6, kernel_size: 5, padding: 2}
    - tanh
    - avg_pool: 2
    - conv: {out_channels: 16, kernel_size: 5}
    - tanh
    - avg_pool: 2
    - flatten
    - linear: 120
    - tanh
    - linear: 84
    - tanh
    - linear: classes""",
    "mlp": """
    - flatten
    - linear: 300
    - relu
    - linear: 100
    - relu
    - linear: classes""",
}
BY_HAND = ("example", "dataset", "memory")
CONTENDERS = (*BY_HAND, "cnnctl", "compiled")


def build(model: str) -> Any:
    from torch import nn

    if model == "mlp":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(),
            nn.Linear(100, 10),
        )  # fmt: skip
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(),
        nn.Linear(84, 10),
    )  # fmt: skip


def images_of(data: Path) -> tuple[Any, Any]:
    from torchvision.datasets import MNIST

    train = MNIST(data, train=True)
    images = (train.data[:, None].float() / 255 - 0.1307) / 0.3081
    return images, train.targets


def example_batches(data: Path, batch_size: int) -> Callable[[], Iterable[Any]]:
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    change = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    train = datasets.MNIST(data, train=True, transform=change)
    loader = DataLoader(train, batch_size=batch_size, shuffle=True)
    return lambda: loader


def dataset_batches(data: Path, batch_size: int) -> Callable[[], Iterable[Any]]:
    from torch.utils.data import DataLoader, TensorDataset

    loader = DataLoader(TensorDataset(*images_of(data)), batch_size=batch_size, shuffle=True)
    return lambda: loader


def memory_batches(data: Path, batch_size: int) -> Callable[[], Iterable[Any]]:
    import torch

    images, labels = images_of(data)

    def batches() -> Iterator[Any]:
        for rows in torch.randperm(len(images)).split(batch_size):
            yield images[rows], labels[rows]

    return batches


def train_by_hand(contender: str, model: str, batch_size: int, data: Path) -> list[float]:
    """Images a second of each epoch of a plain loop."""
    import torch
    from torch.nn import functional

    make = {"example": example_batches, "dataset": dataset_batches, "memory": memory_batches}
    batches = make[contender](data, batch_size)
    network = build(model)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    speeds = []
    for _ in range(EPOCHS):
        start, seen = time.perf_counter(), 0
        for images, labels in batches():
            loss = functional.cross_entropy(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += len(images)
        speeds.append(seen / (time.perf_counter() - start))
    return speeds


def train_with_cnnctl(model: str, batch_size: int, data: Path, options: list[str]) -> list[float]:
    """Images a second of each epoch, as cnnctl itself writes them down."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / f"{model}.yaml"
        config.write_text(
            f"data: {{name: mnist, batch_size: {batch_size}}}\n"
            f"model:\n  layers:{MODELS[model]}\n"
            "optimizer: {name: sgd, lr: 0.01, momentum: 0.9}\n"
            f"train: {{epochs: {EPOCHS}}}\n"
        )
        command = [sys.executable, "-m", "cnnctl", "train", str(config), *options]
        command += ["--data", str(data), "--runs", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        lines = (Path(folder) / model / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["samples_per_second"] for line in lines]


def write_noise(data: Path) -> None:
    """Files like MNIST's, of random pixels."""
    raw = data / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for split, count in (("train", 60_000), ("t10k", 10_000)):
        head = struct.pack(">IIII", 2051, count, 28, 28)
        (raw / f"{split}-images-idx3-ubyte").write_bytes(head + os.urandom(count * 784))
        labels = bytes(byte % 10 for byte in os.urandom(count))
        head = struct.pack(">II", 2049, count)
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(head + labels)


def measure(contender: str, model: str, batch_size: int, data: Path, options: list[str]) -> float:
    """The fastest epoch after the first, in a process of its own."""
    if contender not in BY_HAND:
        asked = [*options, "train.compile=true"] if contender == "compiled" else options
        return max(train_with_cnnctl(model, batch_size, data, asked)[1:])
    arguments = ["--one", contender, model, str(batch_size), "--data", str(data)]
    done = subprocess.run(
        [sys.executable, __file__, *arguments], check=True, capture_output=True, text=True
    )
    return float(max(json.loads(done.stdout)[1:]))


def compare(model: str, batch_size: int, data: Path, rounds: int, options: list[str]) -> None:
    """Print a line for one network and batch size."""
    speeds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name in CONTENDERS:
            speeds[name].append(measure(name, model, batch_size, data, options))
    medians = {name: statistics.median(found) for name, found in speeds.items()}
    figures = "".join(f"{medians[name]:12,.0f}" for name in CONTENDERS)
    ratios = "".join(f"{medians['cnnctl'] / medians[name]:10.2f}x" for name in BY_HAND)
    ratios += f"{medians['compiled'] / medians['memory']:17.2f}x"
    print(f"{model:6} {batch_size:5} {figures} {ratios}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, help="where torchvision keeps MNIST")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[64, 512])
    parser.add_argument("--options", nargs="*", default=[], help="overrides for cnnctl")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        contender, model, batch_size = given.one
        print(json.dumps(train_by_hand(contender, model, int(batch_size), given.data)))
        return
    heads = "".join(f"{name:>12}" for name in CONTENDERS)
    over = "".join(f"{'/ ' + name:>11}" for name in BY_HAND) + " compiled / memory"
    print(f"images a second; on the right cnnctl over each\nmodel  batch {heads} {over}")
    with tempfile.TemporaryDirectory() as folder:
        data = given.data or Path(folder)
        if not given.data:
            write_noise(data)
        for model in given.models:
            for batch_size in given.batch_sizes:
                compare(model, batch_size, data, given.rounds, given.options)


if __name__ == "__main__":
    main()
