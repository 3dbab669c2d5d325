"""Speed and memory of training: cnnctl beside loops by hand and other libraries.

    python -m benchmarks.training_speed [--models lenet mlp] [--contenders cnnctl plain]

Every contender trains the same network with the same optimizer on the same images, in a process of
its own, in turn, for several rounds, so that a noisy machine is noisy for all. A figure is the
median over the rounds: the images a second of the fastest epoch after the first, that speed over
the plain loop's and over the best loop's by hand, the peak memory of the process (without its
DataLoader's workers), and the seconds from its start to the first optimizer step. What cnnctl
chooses by itself (precision, memory format, compile) is left to it. Images are noise unless --data
has MNIST and CIFAR-10 in torchvision's form.

The contenders:
    cnnctl         cnnctl train
    plain          normalised images in memory, a permutation an epoch, an index a batch; fp32
    fused          the same with a fused optimizer
    channels_last  the same in channels_last as well
    bf16           the same in bf16 as well
    example        PyTorch's MNIST example
    torchvision    torchvision's reference training, with its crops and flips
    lightning      Lightning's Trainer and a DataLoader
    keras          Keras 3 on PyTorch
    skorch         skorch's NeuralNetClassifier
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.training_speed.contending import CONTENDERS, Measured, contend
from benchmarks.training_speed.images import write_images
from benchmarks.training_speed.networks import NETWORKS
from benchmarks.training_speed.report import environment, rows_of, table
from benchmarks.training_speed.task import Task


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training_speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument("--batch-sizes", nargs="+", type=int, help="default: those of each network")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="at least 2; the first is left out")
    parser.add_argument("--images", type=int, help="an epoch; default: those of each network")
    parser.add_argument("--data", type=Path, help="where torchvision keeps MNIST and CIFAR-10")
    parser.add_argument("--json", type=Path, help="file for all figures and the environment")
    parser.add_argument("--options", nargs="*", default=[], help="overrides for cnnctl")
    return parser.parse_args()


def present(names: list[str]) -> list[str]:
    """The contenders whose packages are installed; the others are named."""
    for name in names:
        if package := CONTENDERS[name].missing:
            hint = "pip install -e '.[benchmarks]'"
            print(f"{name} is skipped: the package {package} is not installed ({hint})")
    return [name for name in names if not CONTENDERS[name].missing]


def compare(names: list[str], task: Task, rounds: int) -> dict[str, list[Measured]]:
    """The figures of all rounds, in each of which every contender trains once."""
    measured: dict[str, list[Measured]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            show(f"{task.model}, batch {task.batch_size}, round {number + 1}: {name}")
            measured[name].append(contend(name, task, os.getloadavg()[0]))
    show("")
    return measured


def show(what: str) -> None:
    """Say on a terminal what is being measured."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)


def main() -> None:
    given = arguments()
    names = present(given.contenders)
    results: list[dict[str, object]] = []
    document = {"environment": environment(), "results": results}
    with tempfile.TemporaryDirectory() as folder:
        for model in given.models:
            network, file = NETWORKS[model], Path(folder) / f"{model}.npz"
            write_images(network, given.images or network.images, file, given.data)
            for batch_size in given.batch_sizes or network.batch_sizes:
                task = Task(model, batch_size, given.epochs, file, tuple(given.options))
                measured = compare(names, task, given.rounds)
                rows = rows_of(measured)
                print(table(model, batch_size, rows), flush=True)
                rounds = {
                    name: [asdict(each) for each in found] for name, found in measured.items()
                }
                results.append(
                    {"model": model, "batch_size": batch_size, "medians": rows, "rounds": rounds}
                )
                if given.json:
                    given.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
