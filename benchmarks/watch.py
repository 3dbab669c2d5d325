"""What `train.watch: true` costs, for several networks.

    python benchmarks/watch.py [--seconds 20] [--device cpu] [--compile] [--models lenet mlp]

Two runs of the same experiment train in one process, a step of each in turn, one of which records
every step. From the medians of their steps, by the clock and by the processor, follow what a record
costs, in steps, and so what `watch: true` costs at the interval that it chooses: between records,
a watched step is a plain one. The processor also counts threads that wait for others; on a busy
machine, `--threads 1` is less noisy. Data of noise stand in for pictures; the work is the same.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
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


def timed(steps: Iterator[None], device: torch.device) -> tuple[float, float]:
    """Seconds of a step, by the clock and by the processor."""
    started, used = time.perf_counter(), time.process_time()
    next(steps)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started, time.process_time() - used


def compare(model: str, options: dict[str, Any], seconds: float, folder: Path) -> None:
    """Print a line for one network."""
    trainings = [training_of(model, {**options, "watch": each}, folder) for each in (False, 1)]
    auto = training_of(model, {**options, "watch": True}, folder).run.experiment.train
    interval, device = int(auto.watch), trainings[0].run.device
    runs = [steps_of(training) for training in trainings]
    for steps in runs * 3:
        timed(steps, device)  # warms up, and compiles
    found: list[list[tuple[float, float]]] = [[] for _ in runs]
    start = time.perf_counter()
    while time.perf_counter() - start < seconds or len(found[0]) < 10:
        for steps, times in zip(runs, found, strict=True):
            times.append(timed(steps, device))
    medians = [
        [statistics.median(each[kind] for each in times) for times in found] for kind in (0, 1)
    ]
    clock, processor = (recorded / plain - 1 for plain, recorded in medians)
    print(
        f"{model:10}{medians[0][0] * 1e3:10.2f}{interval:10}{clock:10.1f}{processor:10.1f}"
        f"{clock / interval:12.1%}{processor / interval:10.1%}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=20, help="for each network")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", default="auto")
    parser.add_argument("--compile", action="store_true")
    given = parser.parse_args()
    threads = given.threads if given.threads == "auto" else int(given.threads)
    options = {"device": given.device, "compile": given.compile, "threads": threads}
    print(f"{'':30}{'a record in steps':>20}{'cost of watch: true':>22}")
    print("network   ms a step  interval     clock processor       clock processor")
    with tempfile.TemporaryDirectory() as folder:
        for model in given.models:
            compare(model, options, given.seconds, Path(folder))


if __name__ == "__main__":
    main()
