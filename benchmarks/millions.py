"""What a folder of millions of pictures costs before the first step, and between epochs.

    python benchmarks/millions.py [--millions 5] [--files 200000]

A made listing stands in for the files, so that nothing is read but what a run reads of the listing:
its pictures are streamed. For each part, seconds and the peak of memory in MiB, both also for a
million records. With `--files`, real empty files are listed as well, anew and from the cache.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar, cast
from unittest import mock

import torch

from cnnctl.data.dataset import StoredSplit
from cnnctl.data.device_store import DeviceStore
from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.files import Folder, forget_tree
from cnnctl.data.loader import Batches
from cnnctl.data.samples import Samples
from cnnctl.data.sources.image_folder import ImageFolder

CLASSES = 1000
Found = TypeVar("Found")


class Made(FileTree):
    """A folder of pictures in class folders, of which only the names are there."""

    def __init__(self, count: int) -> None:
        super().__init__(Path("made"))
        self.count = count

    def _listed(self) -> Iterator[Entry]:
        for number in range(self.count):
            name = f"n{number % CLASSES:08d}/n{number % CLASSES:08d}_{number:09d}.JPEG"
            yield Entry(name, 110_000 + number % 977, 1_600_000_000_000_000_000 + number)

    def _content(self, entry: Entry) -> bytes:
        raise OSError(entry.name)


class Meter:
    """Prints what each part takes."""

    def __init__(self, count: int) -> None:
        self.millions = count / 1e6
        self.base = self.peak()

    def peak(self) -> float:
        """The peak memory of the process, in MiB."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def __call__(self, part: str, work: Callable[[], Found]) -> Found:
        """Do a part of the work, and print its cost."""
        began, used = time.perf_counter(), time.process_time()
        found = work()
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
        peak = self.peak() - self.base
        print(
            f"{part:32} {seconds:8.2f} s {cpu:8.2f} s CPU {cpu / self.millions:7.2f} s/million"
            f" {peak:9,.0f} MiB {peak / self.millions:8,.0f} MiB/million"
        )
        return found


def read_split(known: ImageFolder, split: StoredSplit) -> Samples:
    """Read a split, but no picture."""
    return known.read_split(split, root=Path(), download=False)


def measure(count: int) -> None:
    """Survey, read and order so many records."""
    tree, meter = Made(count), Meter(count)
    data = ImageFolder.model_validate(
        {"path": "made", "size": 32, "mode": "RGB", "rows": "stream", "workers": 1}
    )
    with mock.patch("cnnctl.data.picture_set.remembered_tree", return_value=tree):
        meter("listing", lambda: tree.entries)
        known = meter("survey", lambda: data.surveyed(Path(), seed=0))
        samples = meter(
            "training split", lambda: known.read_split("train", root=Path(), download=False)
        )
        meter("test split", lambda: read_split(known, "test"))
    positions = torch.arange(len(samples))
    source = SimpleNamespace(device=torch.device("cpu"))  # nothing is decoded
    batches = Batches(cast(DeviceStore, source), positions=positions, batch_size=256)
    meter("order of an epoch", lambda: batches.rows(1))
    meter("order of the next epoch", lambda: batches.rows(2))


def list_files(count: int, folder: Path) -> None:
    """List real files, anew and again."""
    for number in range(CLASSES):
        (folder / f"c{number:03d}").mkdir()
    for number in range(count):
        os.close(os.open(folder / f"c{number % CLASSES:03d}" / f"{number:09d}.png", os.O_CREAT))
    meter = Meter(count)
    forget_tree()
    first = meter("files, listed", lambda: Folder(folder).entries)
    again = meter("files, listed before", lambda: Folder(folder).entries)
    assert list(first) == list(again)


def main() -> None:
    """Measure what the options say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, default=5.0)
    parser.add_argument("--files", type=int, default=0)
    options = parser.parse_args()
    print(f"load: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    if options.millions:
        measure(round(options.millions * 1e6))
    if options.files:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            list_files(options.files, Path(folder))


if __name__ == "__main__":
    main()
