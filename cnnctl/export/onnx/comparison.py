"""A quantized graph beside the one in float32: quality on the test split, size and time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import nan
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from cnnctl.data.preparation import SplitName, splits_of
from cnnctl.data.samples import Split
from cnnctl.errors import data_fault
from cnnctl.experiment import Task
from cnnctl.export.onnx.quiet import onnx_runtime, quiet
from cnnctl.export.original import Original
from cnnctl.metrics import METRICS, Accuracy, AveragePrecision, Number, Predictions
from cnnctl.target import TargetKind

CALIBRATION = 512
"""Training samples that give the ranges of activations."""
BLOCK = 32
ROUNDS, SECONDS = 200, 2.0
"""Most measurements of time, and how long they may take."""
HEADLINES: dict[TargetKind, type[Any]] = {
    "class": Accuracy,
    "labels": AveragePrecision,
    "values": METRICS["r2"],
}
"""What the quality of each kind of answers is measured by; all are 1 at best."""


@dataclass(frozen=True, slots=True)
class Side:
    """A graph as it was measured."""

    quality: Mapping[str, float]
    """The headline metric of each task, by name."""
    bytes: int
    seconds: float
    """Median time for a batch of one on one thread."""

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {"quality": dict(self.quality), "bytes": self.bytes, "seconds": self.seconds}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both graphs, measured side by side."""

    split: SplitName
    samples: int
    metrics: Mapping[str, Number]
    """The headline metric of each task, by name."""
    before: Side
    after: Side

    @property
    def points_lost(self) -> float:
        """The largest loss of quality of a task, in percentage points; below 0 for a gain."""
        before, after = self.before.quality, self.after.quality
        return max(100 * (before[name] - after[name]) for name in before)

    def lines(self) -> list[str]:
        """Quality, size and time of both, in words."""
        before, after = self.before, self.after
        lines = [
            f"{_of(name)}{metric.label} {metric.show(before.quality[name])} in float32, "
            f"{metric.show(after.quality[name])} in int8"
            for name, metric in self.metrics.items()
        ]
        lines.append(f"{_megabytes(before.bytes)} in float32, {_megabytes(after.bytes)} in int8")
        ratio = after.seconds / before.seconds
        times = f"{before.seconds * 1e3:.3g} ms a sample in float32, {after.seconds * 1e3:.3g} ms"
        lines.append(f"{times} in int8: {_times(ratio)} on one thread of this machine")
        return lines


def _of(name: str) -> str:
    return f"{name}: " if name else ""


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.3g} MB"


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times slower" if ratio > 1 else f"{1 / ratio:.1f} times faster"


def measured_split(original: Original) -> SplitName:
    """The split that int8 is measured on: test, or else validation.

    Raises:
        FaultError: there is neither, or the data cannot be read.
    """
    if original.samples is None:
        message = f"int8 needs the data to calibrate and to measure: {original.unread}"
        raise data_fault(message, hint="give the data with --data, or omit --quantize")
    name = splits_of(original.experiment.data)[0]
    if name == "train":
        message = "int8 is measured on the test split, but there is none"
        raise data_fault(message, hint="hold samples out for testing, or omit --quantize")
    return name


def calibration(original: Original, *, raw: bool) -> Iterator[Tensor]:
    """Blocks of training samples as a graph takes them, drawn with the seed of the experiment.

    Raises:
        FaultError: the data cannot be read.
    """
    split = original.split("train")
    generator = torch.Generator().manual_seed(original.experiment.seed)
    drawn = torch.randperm(len(split), generator=generator)[:CALIBRATION]
    return _blocks(original, split, split.positions[drawn.sort().values], raw=raw)


def compare(original: Original, before: bytes, after: bytes, *, raw: bool) -> Comparison:
    """Measure graphs that take stored samples, or preprocessed ones if `raw`.

    Raises:
        FaultError: there is no split to measure on, or the data cannot be read.
    """
    name = measured_split(original)
    split = original.split(name)
    sessions = [_session(content) for content in (before, after)]
    seconds = side_by_side(sessions, original.random(1, raw=raw))
    sides = [
        Side(_quality(original, split, session, raw=raw), len(content), time)
        for session, content, time in zip(sessions, (before, after), seconds, strict=True)
    ]
    metrics = {task.name: HEADLINES[task.target.kind]() for task in original.tasks}
    return Comparison(name, len(split), metrics, *sides)


def _blocks(original: Original, split: Split, positions: Tensor, *, raw: bool) -> Iterator[Tensor]:
    for part in torch.split(positions, BLOCK):
        stored = split.samples.rows.take(part)
        yield original.inputs(stored) if raw else stored


def _session(content: bytes) -> Any:
    """A graph, ready to run on one thread: threads of two would wait for each other."""
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with quiet():
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _quality(original: Original, split: Split, session: Any, *, raw: bool) -> dict[str, float]:
    name = session.get_inputs()[0].name
    blocks = _blocks(original, split, split.positions, raw=raw)
    found = [session.run(None, {name: block.numpy()}) for block in blocks]
    outputs = [
        torch.cat([torch.from_numpy(part) for part in parts]) for parts in zip(*found, strict=True)
    ]
    return {
        task.name: _headline(original, task, own, split, raw=raw)
        for task, own in zip(original.tasks, outputs, strict=True)
    }


def _headline(original: Original, task: Task, outputs: Tensor, split: Split, *, raw: bool) -> float:
    """The headline metric of a task, from all of its answers; NaN if it is undefined."""
    kind, targets = task.target.kind, split.target(task.target.name)
    if raw and kind == "values":
        outputs = original.trained.in_own_units(task, outputs)
    elif raw:
        outputs = task.probabilities(outputs)
    if kind == "values":
        predictions = Predictions(nan, outputs.double(), targets.double())
    else:
        thresholds = torch.tensor(task.thresholds)
        predicted = outputs > thresholds if kind == "labels" else outputs.argmax(dim=1)
        names = task.target.class_names
        predictions = Predictions(nan, predicted, task.actual(targets), names, outputs)
    found = HEADLINES[kind]().of(predictions)
    return nan if found is None else float(found)


def side_by_side(sessions: list[Any], input: Tensor) -> list[float]:
    """The median seconds of each session for this input, measured in turn."""
    feed = {sessions[0].get_inputs()[0].name: input.numpy()}
    times: list[list[float]] = [[] for _ in sessions]
    for session in sessions:
        session.run(None, feed)  # the first run plans memory
    end = perf_counter() + SECONDS
    while len(times[0]) < ROUNDS and perf_counter() < end:
        for session, own in zip(sessions, times, strict=True):
            start = perf_counter()
            session.run(None, feed)
            own.append(perf_counter() - start)
    return [median(own) for own in times]
