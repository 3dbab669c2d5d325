"""Pictures that are streamed, beside those that are decoded to the cache: first epochs.

    python benchmarks/streaming.py --data cifar10-jpeg/train [--workers 2] [--rounds 3]

The folder has class folders. Its pictures are written to 100 shards; then trainings of one epoch
take turns: from the folder through an empty cache (`rows: mapped`), streamed from the folder, and
streamed from the shards. Each is a process of its own, timed from its start to its end; the memory
is the largest sum of the proportional set sizes of it and its children. Then an epoch of each
stream is counted: every picture has to come once.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import torch
import yaml

from cnnctl.data.device_store import DeviceStore
from cnnctl.data.loader import Batches
from cnnctl.data.preparation import prepare
from cnnctl.experiment import load

SHARDS = 100
NETWORK = [
    {"conv": {"out_channels": 16, "kernel_size": 3, "padding": 1}}, "relu", {"max_pool": 2},
    {"conv": {"out_channels": 32, "kernel_size": 3, "padding": 1}}, "relu", {"max_pool": 2},
    "flatten", {"linear": "classes"},
]  # fmt: skip


def write_shards(data: Path, folder: Path) -> None:
    """The pictures of class folders in shards, shuffled."""
    files = [path for path in sorted(data.glob("*/*")) if path.is_file()]
    classes = sorted({path.parent.name for path in files})
    Random(0).shuffle(files)
    folder.mkdir()
    for shard in range(SHARDS):
        with tarfile.open(folder / f"train-{shard:06}.tar", "w") as archive:
            for at, path in enumerate(files[shard::SHARDS]):
                label = str(classes.index(path.parent.name)).encode()
                suffix = path.suffix.lstrip(".")
                for name, content in ((suffix, path.read_bytes()), ("cls", label)):
                    member = tarfile.TarInfo(f"{shard:06}{at:06}.{name}")
                    member.size = len(content)
                    archive.addfile(member, BytesIO(content))


def experiment(file: Path, data: dict[str, Any], options: argparse.Namespace) -> Path:
    """An experiment of one epoch, written to a file."""
    given = {"test": 0, "validation": 0.02, "batch_size": options.batch_size, "mode": "RGB"}
    plain = {
        "data": {**given, "size": 32, "workers": options.workers, **data},
        "model": {"layers": NETWORK},
        "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9},
        "train": {"epochs": 1},
    }
    file.write_text(yaml.safe_dump(plain), encoding="utf-8")
    return file


def trained(file: Path, folder: Path) -> dict[str, float]:
    """Train in a process of its own with an empty cache; seconds, CPU seconds and memory."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        environment = {**os.environ, "CNNCTL_CACHE": cache}
        command = [sys.executable, "-m", "cnnctl", "train", str(file), "--runs", cache]
        before, start = os.times(), time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(map(memory_of, family(process.pid))))
            time.sleep(0.25)
        seconds, after = time.perf_counter() - start, os.times()
        if process.returncode:
            raise SystemExit(f"{file.stem}: exit code {process.returncode}")
        [metrics] = Path(cache).glob("*/metrics.jsonl")
        epoch = json.loads(metrics.read_text(encoding="utf-8").splitlines()[0])
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    return {"seconds": seconds, "cpu": used, "memory": peak / 1e6, "epoch": epoch["seconds"]}


def family(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = [int(each) for task in tasks for each in (task / "children").read_text().split()]
    except OSError:  # it has ended
        return []
    return [pid, *(below for child in children for below in family(child))]


def memory_of(pid: int) -> int:
    """The proportional set size of a process in bytes; shared pages count in shares."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def count(file: Path) -> str:
    """Whether every picture of the training split comes once in an epoch."""
    loaded = load(file).experiment
    train = prepare(loaded.data, seed=0).splits.train
    store = DeviceStore(train.samples, device=torch.device("cpu"))
    batches = Batches(store, positions=train.positions, batch_size=500, seed=1)
    epoch, in_order = (
        Counter(blake2b(each.numpy().tobytes()).digest() for inputs, _ in part for each in inputs)
        for part in (batches.epoch(1), batches.in_order())
    )
    verdict = "every picture once" if epoch == in_order else "NOT every picture once"
    return f"{epoch.total():,} of {len(train):,}: {verdict}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=128)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_shards(options.data, folder / "shards")
        images = {"name": "image_folder", "path": str(options.data.absolute())}
        shards = {"name": "webdataset", "path": str(folder / "shards")}
        ways = {
            "cache": experiment(folder / "cache.yaml", {**images, "rows": "mapped"}, options),
            "folder": experiment(folder / "folder.yaml", {**images, "rows": "stream"}, options),
            "shards": experiment(folder / "shards.yaml", {**shards, "rows": "stream"}, options),
        }
        found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _ in range(options.rounds):
            for way, file in ways.items():
                found[way].append(trained(file, folder))
        print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, {options.workers} workers")
        base = statistics.median(each["seconds"] for each in found["cache"])
        for way, measured in found.items():
            seconds, cpu, memory, epoch = (
                statistics.median(each[key] for each in measured)
                for key in ("seconds", "cpu", "memory", "epoch")
            )
            print(
                f"{way:<8} {seconds:6.1f} s in all, {cpu:6.1f} s of CPU, epoch {epoch:5.1f} s, "
                f"peak {memory:5.0f} MB, {base / seconds:.2f} of the cache's speed"
            )
        for way in ("folder", "shards"):
            print(f"{way}: {count(ways[way])}")


if __name__ == "__main__":
    main()
