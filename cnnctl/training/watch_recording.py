"""Writes what is recorded of the layers: watch.jsonl, and event files for TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log10
from typing import Any

import numpy as np
from rich.console import Console
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary

from cnnctl.run_files import MAX_WATCH, LayerRecord
from cnnctl.run_folder import RunFolder
from cnnctl.training.event_file import EventFile
from cnnctl.training.recording import report_damaged
from cnnctl.training.run import Counters
from cnnctl.training.watching import WatchedStep, WatchRecorder

WAITING = 100
"""Records that are written at once."""
BINS = 30
"""Bins of a histogram, as many as TensorBoard shows."""


class WatchFile(WatchRecorder):
    """The records as watch.jsonl.

    It grows to a limit that every reader accepts; later records are left out. Lines wait for others
    or for the state to be saved: resuming would drop those after the last save anyway.
    """

    def __init__(self, folder: RunFolder, console: Console) -> None:
        self.folder = folder
        self.console = console
        self.waiting: list[bytes] = []
        self.room = MAX_WATCH

    def resumed(self, counters: Counters) -> None:
        """Drop the lines of repeated steps, and report how many were invalid."""
        damaged = self.folder.keep_watch(through_step=counters.step)
        self.room = MAX_WATCH - self.folder.watch.stat().st_size
        report_damaged(self.console, self.folder.watch, damaged)

    def record(self, watched: WatchedStep) -> None:
        """Take a record, and write it in time."""
        layers = {row.layer: row.figures() for row in watched.rows}
        line = LayerRecord(watched.step, watched.epoch, layers).line()
        if len(line) > self.room:
            self.fill(watched.step)
            return
        self.room -= len(line)
        self.waiting.append(line)
        if len(self.waiting) >= WAITING:
            self.saving()

    def fill(self, step: int) -> None:
        """Take no more records, and say so once."""
        if self.room >= 0:
            message = f"{MAX_WATCH >> 20} MiB are full; layers are not recorded from step {step} on"
            self.console.print(f"watch.jsonl: {message}", soft_wrap=True, markup=False)
        self.room = -1

    def saving(self) -> None:
        """Write the lines that wait."""
        lines, self.waiting = self.waiting, []
        if lines:
            self.folder.append_watch(lines)

    def close(self) -> None:
        """Write the last lines, which say how a run diverged."""
        self.saving()


class WatchBoard(WatchRecorder):
    """The figures as scalars, and histograms of weights, gradients and outputs, by optimizer step.

    They lie in a folder of their own, since the steps of the other event files are epochs.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.events = EventFile(folder, "layers")

    def resumed(self, counters: Counters) -> None:
        """Hide the events of later steps, which a killed run may have left."""
        self.events.hide(start=counters.step + 1)

    def record(self, watched: WatchedStep) -> None:
        """Write the scalars and histograms of a record."""
        values = [
            Summary.Value(tag=f"{figure}/{row.layer}", simple_value=value)
            for row in watched.rows
            for figure, value in _scalars(row.figures())
        ]
        if watched.samples is not None:
            values += [
                Summary.Value(tag=name, histo=histogram(sample))
                for name, sample in watched.samples.read()
                if len(sample)
            ]
        self.events.add(values, step=watched.step)

    def close(self) -> None:
        """Close the event file."""
        self.events.close()


def _scalars(figures: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Figures by name; the update by its logarithm, if it has one."""
    for name, value in figures.items():
        if name != "update":
            yield name, value
        elif value > 0:
            yield "update_log10", log10(value)


def histogram(values: np.ndarray[Any, np.dtype[np.float32]]) -> HistogramProto:
    """A histogram with bins of equal width over the range of the values."""
    wide = values.astype(np.float64)
    counts, edges = np.histogram(wide, bins=BINS)
    return HistogramProto(
        min=wide.min(),
        max=wide.max(),
        num=len(wide),
        sum=wide.sum(),
        sum_squares=(wide * wide).sum(),
        bucket_limit=edges[1:].tolist(),
        bucket=counts.tolist(),
    )
