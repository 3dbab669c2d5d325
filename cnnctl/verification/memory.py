"""Memory that training needs, and what the machine has left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import NamedTuple

import torch

from cnnctl.data.device_store import keeps_normalized
from cnnctl.data.file_set import FileSet
from cnnctl.data.residence import residence_of
from cnnctl.data.rows import Rows, TensorRows
from cnnctl.data.samples import Splits
from cnnctl.device import describe_device, give_back_freed
from cnnctl.experiment import Experiment, Loaded
from cnnctl.inspection.report import report_on
from cnnctl.model.layer import Shape
from cnnctl.training.environment import describe_environment
from cnnctl.training.memory import OWN, free_memory, process_usage
from cnnctl.verification.facts import Computed, Measured, Memory
from cnnctl.verification.process import (
    StartedProcesses,
    forget_peak,
    usage_of,
)

IMAGE = 3
"""Dimensions of a sample that is an image, whose pixels are bytes."""


def memory_of(loaded: Loaded, experiment: Experiment, device: torch.device) -> Memory:
    """Compute the memory for training; `experiment` has its automatic choices made.

    Dataset and activations are computed from their shapes, so that nothing is read or allocated.
    It is a lower bound, as in `inspection.memory`: buffers of operators and torch itself come on
    top.
    """
    report = report_on(loaded)
    needed = report.memory
    assert needed is not None  # which a report of an experiment has
    peak = report.peak_memory or needed.total
    return Memory(
        Computed(
            data=_with_copies(described_bytes(loaded), loaded, experiment, device),
            network=needed.total - needed.activations,
            activations=peak - (needed.total - needed.activations),
        ),
        available=available_memory(device),
        device="the CPU" if device.type == "cpu" else describe_device(device),
    )


def load_libraries(device: torch.device) -> None:
    """Load what every training loads: by a step with a single weight, and a look around."""
    weight = torch.zeros(1, device=device, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0)
    torch.autograd.backward(weight.sum())
    optimizer.step()
    describe_environment(device)  # which loads cuDNN: 50 MB, on a CPU as well


class Meter:
    """Measures a training from now on: `reading` goes around reading the data, `measured` ends it.

    What every training loads is loaded first, though a training loads it only after it has read the
    data: reading comes on top of less.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        give_back_freed()
        self._before = usage_of(device)
        load_libraries(device)
        give_back_freed()
        forget_peak(device)
        self._start = self._read = usage_of(device)
        self._started = 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Reads the data in this context."""
        with StartedProcesses() as processes:
            yield
        self._read, self._started = usage_of(self.device), processes.peak
        forget_peak(self.device)

    def measured(self, splits: Splits) -> Measured | None:
        """What the training took; `splits` were read. None if the system does not tell."""
        before, start, read = self._before, self._start, self._read
        end = usage_of(self.device)
        if before is None or start is None or read is None or end is None:
            return None
        size = mapped_bytes(splits)
        # of files that several splits map, pages count more than once, though they are there once
        dropped = [max(0, each.files - start.files) if size else 0 for each in (read, end)]
        data = max(0, read.now - start.now - dropped[0])
        is_cuda = self.device.type == "cuda"
        started = 0 if is_cuda else self._started
        return Measured(
            process=0 if is_cuda else start.now,
            reading=max(0, before.now + read.peak - 2 * start.now - dropped[0] + started),
            data=data,
            training=max(0, end.peak - start.now - dropped[1] - data),
            mapped=min(dropped[1], size),
        )


def data_bytes(splits: Splits, loaded: Loaded, experiment: Experiment, device: torch.device) -> int:
    """Bytes of the samples that are kept in memory, once they have been read."""
    return _with_copies(Stored(*map(_kept_bytes, _read_rows(splits))), loaded, experiment, device)


class Stored(NamedTuple):
    """Bytes of samples in memory, as they are stored: those for training and those for testing."""

    train: int
    test: int = 0


def described_bytes(loaded: Loaded) -> Stored:
    """Those of the samples that will be kept in memory, as far as they are described.

    Test splits are only counted where their size is.
    """
    shape, data = loaded.description.shape, loaded.experiment.data
    counts = data.samples if isinstance(data, FileSet) else None
    width = _width(shape) * prod(shape)
    found = Stored(width * data.whole().train_samples, width * (counts.test if counts else 0))
    rows = getattr(data, "rows", "memory")  # which datasets of pictures have
    is_kept = (residence_of(sum(found)) if rows == "auto" else rows) == "memory"
    return found if is_kept else Stored(0)


def mapped_bytes(splits: Splits) -> int:
    """Bytes of the samples that are not kept, but mapped from a file."""
    return sum(_bytes_of(rows) for rows in _read_rows(splits) if not isinstance(rows, TensorRows))


def _read_rows(splits: Splits) -> list[Rows]:
    train, test = splits.train.samples, splits.test.samples
    return [train.rows] if test is train else [train.rows, test.rows]


def _kept_bytes(rows: Rows) -> int:
    return _bytes_of(rows) if isinstance(rows, TensorRows) else 0


def _bytes_of(rows: Rows) -> int:
    return prod(rows.shape) * rows.dtype.itemsize


def _width(shape: Shape) -> int:
    """Bytes of a stored number of a sample."""
    return 1 if len(shape) == IMAGE else 4


def _with_copies(
    stored: Stored, loaded: Loaded, experiment: Experiment, device: torch.device
) -> int:
    """Bytes of samples with what is kept of them beside: normalised, or laid out anew."""
    shape = loaded.description.shape
    is_new = experiment.train.memory_format == "channels_last" and shape[0] > 1
    copies = 2 if is_new and len(shape) == IMAGE and device.type == "cpu" else 1
    numbers = stored.train // _width(shape)
    if keeps_normalized((numbers,), device):
        return stored.train + 4 * numbers + copies * stored.test
    return copies * sum(stored)


def available_memory(device: torch.device) -> int | None:
    """Bytes that are free for a training, on the device or on this machine; None if unknown.

    On this machine, what this process takes is free then.
    """
    free_now = free_memory(device)
    own = process_usage(OWN) if device.type == "cpu" else None
    return free_now + own.now - own.files if free_now and own else free_now
