"""Pictures in class folders: their first decoding, the second run, and an epoch over the cache.

    python benchmarks/picture_data.py FOLDER [--side 32] [--rounds 5]

The contenders decode all pictures of FOLDER once, in turn, in a process of its own each, after its
imports; the figures are medians over rounds.

    cnnctl        reads the dataset, with an empty cache
    again         reads it once more
    ImageFolder   torchvision's ImageFolder and a DataLoader of two workers, batches of 128
    mapped        an epoch of batches taken from the cache
    memory        an epoch of batches of the same pixels in memory
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

BATCH = 128


def read(folder: Path, side: int) -> float:
    """Seconds until cnnctl has all pictures."""
    from cnnctl.data.preparation import prepare
    from cnnctl.data.sources.image_folder import ImageFolder

    start = time.perf_counter()
    data = ImageFolder(path=str(folder), size=side, mode="RGB", test=0).surveyed(Path(), seed=0)
    prepare(data, seed=0)
    return time.perf_counter() - start


def load_with_torchvision(folder: Path, side: int) -> float:
    """Seconds until the DataLoader has given all pictures."""
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    start = time.perf_counter()
    change = transforms.Compose([transforms.Resize((side, side)), transforms.ToTensor()])
    loader = DataLoader(ImageFolder(folder, change), batch_size=BATCH, num_workers=2)
    for _ in loader:
        pass
    return time.perf_counter() - start


def take(folder: Path, side: int, rows: Literal["mapped", "memory"]) -> float:
    """Seconds to take all pictures in batches of random order."""
    import torch

    from cnnctl.data.preparation import prepare
    from cnnctl.data.sources.image_folder import ImageFolder

    data = ImageFolder(path=str(folder), size=side, mode="RGB", test=0, rows=rows)
    stored = prepare(data.surveyed(Path(), seed=0), seed=0).splits.train.samples.rows
    order = torch.randperm(len(stored))
    start = time.perf_counter()
    for positions in torch.split(order, BATCH):
        stored.take(positions)
    return time.perf_counter() - start


CONTENDERS: dict[str, Callable[[Path, int], float]] = {
    "cnnctl": read,
    "again": read,
    "ImageFolder": load_with_torchvision,
    "mapped": lambda folder, side: take(folder, side, "mapped"),
    "memory": lambda folder, side: take(folder, side, "memory"),
}


def measure(name: str, folder: Path, side: int, cache: Path) -> float:
    """The seconds of a contender, in a process of its own."""
    command = [sys.executable, __file__, str(folder), "--side", str(side), "--one", name]
    environment = {**os.environ, "CNNCTL_CACHE": str(cache)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    return float(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, help="folder of class folders")
    parser.add_argument("--side", type=int, default=32, help="side that pictures are brought to")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(CONTENDERS[given.one](given.folder, given.side)))
        return
    found: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as cache:
            for name, rounds in found.items():
                rounds.append(measure(name, given.folder, given.side, Path(cache)))
    medians = {name: statistics.median(seconds) for name, seconds in found.items()}
    for name, seconds in medians.items():
        print(f"{name:12} {seconds:8.2f} s")
    print(f"first decoding: {medians['ImageFolder'] / medians['cnnctl']:.2f}x ImageFolder's speed")
    more = medians["mapped"] - medians["memory"]
    print(f"an epoch from the cache takes {more:.2f} s more than one from memory")


if __name__ == "__main__":
    main()
