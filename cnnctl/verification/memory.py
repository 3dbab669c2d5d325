"""Memory that training needs, and what the machine has left."""

from __future__ import annotations

from math import prod
from pathlib import Path

import torch

from cnnctl.data.file_set import FileSet
from cnnctl.data.residence import machine_memory, residence_of
from cnnctl.data.rows import TensorRows
from cnnctl.data.samples import Splits
from cnnctl.device import describe_device
from cnnctl.experiment import Experiment, Loaded
from cnnctl.inspection.report import report_on
from cnnctl.verification.facts import Memory

IMAGE = 3
"""Dimensions of a sample that is an image, whose pixels are bytes."""
MEMINFO, AVAILABLE = "/proc/meminfo", "MemAvailable:"
USED = ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes")
STATISTICS = ("/sys/fs/cgroup/memory.stat", "/sys/fs/cgroup/memory/memory.stat")
RECLAIMABLE = ("inactive_file", "total_inactive_file")


def memory_of(loaded: Loaded, experiment: Experiment, device: torch.device) -> Memory:
    """Foretell the memory for training; `experiment` has its automatic choices made.

    Data set and activations are computed from their shapes, so that nothing is read or allocated.
    It is a lower bound, as in `inspection.memory`: buffers of operators and torch itself come on
    top.
    """
    report = report_on(loaded)
    needed = report.memory
    assert needed is not None  # which a report of an experiment has
    peak = report.peak_memory or needed.total
    return Memory(
        data=described_bytes(loaded) * copies_of(loaded, experiment, device),
        network=needed.total - needed.activations,
        activations=peak - (needed.total - needed.activations),
        available=available_memory(device),
        device="the CPU" if device.type == "cpu" else describe_device(device),
    )


def described_bytes(loaded: Loaded) -> int:
    """Bytes of the samples that will be kept in memory, as far as they are described.

    Test splits are only counted where their size is.
    """
    shape, data = loaded.description.shape, loaded.experiment.data
    counts = data.samples if isinstance(data, FileSet) else None
    samples = data.whole().train_samples + (counts.test if counts else 0)
    size = samples * prod(shape) * (1 if len(shape) == IMAGE else 4)
    rows = getattr(data, "rows", "memory")  # which data sets of pictures have
    is_mapped = (residence_of(size) if rows == "auto" else rows) == "mapped"
    return 0 if is_mapped else size


def kept_bytes(splits: Splits) -> int:
    """Bytes of the samples that are kept in memory, once they have been read."""
    train, test = splits.train.samples, splits.test.samples
    files = [train] if test is train else [train, test]
    rows = (samples.rows for samples in files)
    return sum(each.tensor.nbytes for each in rows if isinstance(each, TensorRows))


def copies_of(loaded: Loaded, experiment: Experiment, device: torch.device) -> int:
    """How often samples are in memory: twice if they are laid out anew beside those read."""
    shape = loaded.description.shape
    is_new = experiment.train.memory_format == "channels_last" and shape[0] > 1
    return 2 if is_new and len(shape) == IMAGE and device.type == "cpu" else 1


def available_memory(device: torch.device) -> int | None:
    """Bytes of memory that are free, of the device or of this machine; None if unknown."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    limit, used = machine_memory(), _first_number(USED)
    known = [_in_kilobytes(MEMINFO, AVAILABLE)]
    if used is not None:
        known.append(limit - used + sum(_reclaimable(file) for file in STATISTICS))
    return min((each for each in known if each is not None and each > 0), default=None)


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="ascii", errors="replace")
    except OSError:  # not Linux
        return ""


def _first_number(files: tuple[str, ...]) -> int | None:
    texts = (_text(file).strip() for file in files)
    return next((int(text) for text in texts if text.isdecimal()), None)


def _in_kilobytes(file: str, name: str) -> int | None:
    words = (line.split() for line in _text(file).splitlines())
    return next((int(line[1]) * 1024 for line in words if line[:1] == [name]), None)


def _reclaimable(file: str) -> int:
    """Bytes of files in the cache, which make room."""
    words = (line.split() for line in _text(file).splitlines())
    found = {line[0]: int(line[1]) for line in words if len(line) == 2 and line[1].isdecimal()}
    return next((found[name] for name in reversed(RECLAIMABLE) if name in found), 0)
