"""Seconds and memory of `cnnctl summary` beside `import torch`, which is most of both.

    python benchmarks/summary.py [SOURCE ...] [--rounds 5]

Every contender runs in a process of its own, in turn, for several rounds, so that a noisy machine
is noisy for all; the figures are medians. Memory is the peak that the system has seen (RSS).
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

Figures = tuple[float, float]
"""Seconds and megabytes."""


def measure_child(command: Sequence[str]) -> None:
    """Run a command as the only child of this process, and print what it took."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, else kilobytes
    print(seconds, peak * unit / 1e6)


def measure(command: Sequence[str]) -> Figures:
    """Seconds and peak memory of a command; a process between keeps the peaks apart."""
    between = [sys.executable, __file__, "--one", *command]
    done = subprocess.run(between, check=True, capture_output=True, text=True)
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def compare(commands: dict[str, list[str]], rounds: int) -> dict[str, Figures]:
    """The medians of every command."""
    found: dict[str, list[Figures]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            found[name].append(measure(command))
    return {
        name: (statistics.median(s for s, _ in runs), statistics.median(m for _, m in runs))
        for name, runs in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("sources", nargs="*", default=["vgg16", "resnet50"], help="what to show")
    parser.add_argument("--rounds", type=int, default=5)
    if sys.argv[1:2] == ["--one"]:
        measure_child(sys.argv[2:])
        return
    given = parser.parse_args()
    commands = {"import torch": [sys.executable, "-c", "import torch"]}
    for source in given.sources:
        commands[f"summary {source}"] = [sys.executable, "-m", "cnnctl", "summary", source]
    medians = compare(commands, given.rounds)
    base_seconds, base_megabytes = medians["import torch"]
    print(f"{'':24} seconds      more       MB      more")
    for name, (seconds, megabytes) in medians.items():
        more = (
            f"{seconds - base_seconds:+10.2f} {megabytes:8.0f} {megabytes - base_megabytes:+9.0f}"
        )
        print(f"{name:24} {seconds:7.2f}{more}")


if __name__ == "__main__":
    main()
