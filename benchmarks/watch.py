"""What `train.watch: true` costs, for several networks.

    python benchmarks/watch.py [--rounds 30] [--device cpu] [--compile] [--models lenet mlp]

Two runs of the same experiment train in one process, in turn, one of them watched: a round takes as
many steps of each as there are between two records, so that the watched one has one record. The
cost is the median over rounds of the ratio of their times, by the clock and (on a CPU) by the
processor; the last column is what a record costs in steps. Data of noise stand in for pictures; the
work is the same.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from cnnctl import run_folder
from cnnctl.config.nodes import Place, from_plain
from cnnctl.experiment import complete
from cnnctl.training.recipe import watching
from cnnctl.training.setup import set_up
from cnnctl.training.training import Training, grouped

MODELS: dict[str, dict[str, Any]] = {
    "lenet": {"data": [1, 28, 28], "batch_size": 64, "layers": [
        {"conv": {"out_channels": 6, "kernel_size": 5, "padding": 2}}, "tanh", {"avg_pool": 2},
        {"conv": {"out_channels": 16, "kernel_size": 5}}, "tanh", {"avg_pool": 2}, "flatten",
        {"linear": 120}, "tanh", {"linear": 84}, "tanh", {"linear": "classes"},
    ]},
    "mlp": {"data": [1, 28, 28], "batch_size": 64, "layers": [
        "flatten", {"linear": 300}, "relu", {"linear": 100}, "relu", {"linear": "classes"},
    ]},
    "tiny": {"data": [2], "batch_size": 32, "layers": [
        {"linear": 16}, "tanh", {"linear": 16}, "tanh", {"linear": "classes"},
    ]},
    "resnet20": {"data": [3, 32, 32], "batch_size": 128, "zoo": "resnet20"},
}  # fmt: skip


def training_of(model: str, options: dict[str, Any], folder: Path) -> Training:
    """A training of this network at its beginning, on noise."""
    chosen = dict(MODELS[model])
    shape, batch_size = chosen.pop("data"), chosen.pop("batch_size")
    plain = {
        "data": {"name": "fake", "shape": shape, "samples": 2048, "batch_size": batch_size},
        "model": chosen,
        "optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9},
        "train": {"epochs": 1000, **options},
    }
    setup = set_up(complete(from_plain(plain, Place("benchmark")), "benchmark"))
    runs = run_folder.create(folder, "run")
    observers = watching(setup.experiment.train.watch, runs, Console(quiet=True))
    training = Training.of(setup, observers=observers)
    training.begin()
    return training


def steps_of(training: Training) -> Iterator[None]:
    """Take one step after another."""
    run = training.run
    while True:
        run.begin_epoch()
        batches = training.batches.train.epoch(run.counters.epoch)
        for group in grouped(batches, 1):
            for observer in training.observers:
                observer.step_began(run, group)
            training.step(group)
            for observer in training.observers:
                observer.stepped(run)
            yield
        run.counters.epoch += 1


def timed(steps: Iterator[None], count: int, device: torch.device) -> tuple[float, float]:
    """Seconds of this many steps, by the clock and by the processor."""
    started, used = time.perf_counter(), time.process_time()
    for _ in islice(steps, count):
        pass
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started, time.process_time() - used


def compare(model: str, options: dict[str, Any], rounds: int, folder: Path) -> None:
    """Print a line for one network."""
    trainings = [training_of(model, {**options, "watch": each}, folder) for each in (False, True)]
    interval = int(trainings[1].run.experiment.train.watch)
    device = trainings[1].run.device
    runs = [steps_of(training) for training in trainings]
    for steps in runs:
        timed(steps, interval, device)  # warms up, and compiles
    found = []
    for number in range(rounds):
        order = (0, 1) if number % 2 else (1, 0)
        found.append(
            [each for _, each in sorted((at, timed(runs[at], interval, device)) for at in order)]
        )
    clock, processor = (
        statistics.median(watched[kind] / plain[kind] for plain, watched in found) - 1
        for kind in (0, 1)
    )
    step = statistics.median(plain[0] for plain, _ in found) / interval
    print(
        f"{model:10}{step * 1e3:10.2f}{interval:10}{clock:10.2%}{processor:10.2%}"
        f"{processor * interval:10.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true")
    given = parser.parse_args()
    options = {"device": given.device, "compile": given.compile}
    print("network   ms a step  interval     clock processor     steps a record")
    with tempfile.TemporaryDirectory() as folder:
        for model in given.models:
            compare(model, options, given.rounds, Path(folder))


if __name__ == "__main__":
    main()
