"""`cnnctl train --profile`: a trace of a few steps, for Perfetto and TensorBoard."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from torch.profiler import ProfilerActivity, profile, schedule
from torch.utils.hooks import RemovableHandle

from cnnctl.data.device_store import Batch
from cnnctl.errors import storage_fault
from cnnctl.run_folder import RunFolder
from cnnctl.training.observers import Observer
from cnnctl.training.ranges import Ranges
from cnnctl.training.run import Run
from cnnctl.training.training import Training

WAIT, WARM_UP, RECORDED = 3, 2, 5
"""Steps before the profiler starts, those that it drops, as the first ones under it are slow, and
those that it records: few, as a step of a large network has ten thousand events."""


class Profile(Observer):
    """Records some steps, once torch has warmed up, and writes them to the folder of the run."""

    def __init__(self, training: Training, folder: RunFolder, console: Console) -> None:
        self.folder, self.console = folder, console
        self.ranges, self.is_over = Ranges(), False
        self.is_compiled = bool(training.run.experiment.train.compile)
        self.first = self.taken = 0
        """The first recorded step of the run, from 1, and the steps that were taken."""
        self.handle: RemovableHandle | None = None
        training.mark_parts(self.mark)
        self.profiler = profile(
            activities=_activities(training.run),
            schedule=schedule(wait=WAIT, warmup=WARM_UP, active=RECORDED, repeat=1),
            on_trace_ready=self.write,
            record_shapes=True,
        )

    def mark(self, part: str) -> None:
        """A part of a step begins."""
        if not self.is_over and self.taken >= WAIT:
            self.ranges.part(part)

    def epoch_began(self, run: Run) -> None:
        """Start the profiler before the first step."""
        if not self.is_over and not self.taken:
            self.profiler.start()
            self.handle = run.optimizer.register_step_post_hook(self.updated)
        self.mark("data")

    def step_began(self, run: Run, batches: Sequence[Batch]) -> None:
        """The data is there."""
        self.mark("")

    def updated(self, *_: Any) -> None:
        """The optimizer is done; torch's own range for its step ends next."""
        self.mark("")

    def stepped(self, run: Run) -> None:
        """Count the step; start, end or write the recording."""
        if self.is_over:
            return
        self.ranges.part("")
        self.taken += 1
        if self.taken == WAIT and not self.is_compiled:  # whose layers are fused
            self.ranges.name_layers(run.network)
        if self.taken == WAIT + WARM_UP:
            self.first = run.counters.step + 1
        self.profiler.step()
        if self.taken == WAIT + WARM_UP + RECORDED:
            self.end()
        self.mark("data")

    def steps_ended(self, run: Run) -> None:
        """What follows is no part of a step."""
        self.ranges.part("")

    def end(self) -> None:
        """Stop the profiler, and leave the network as it was."""
        self.is_over = True
        self.ranges.close()
        if self.handle is not None:
            self.handle.remove()
        self.profiler.stop()

    def close(self) -> None:
        """Write what there is of a training that was too short, or was stopped."""
        if self.is_over:
            return
        was_recording = self.first and self.taken > WAIT + WARM_UP
        if self.taken or was_recording:
            self.end()
        if not was_recording:
            message = f"training ended after {self.taken} steps, before any was recorded"
            self.console.print(f"--profile: {message}", soft_wrap=True, markup=False)

    def write(self, recorded: profile) -> None:
        """Write the trace, and say how to open it."""
        last = self.first + self.taken - WAIT - WARM_UP - 1
        if not self.first or last < self.first:
            return
        file = self.folder.write_profile(_trace_of(recorded), steps=(self.first, last))
        lines = [
            f"profile of steps {self.first} to {last}: {file}",
            f"open it at https://ui.perfetto.dev, or with tensorboard --logdir {file.parent} "
            "(pip install torch-tb-profiler)",
        ]
        for line in lines:
            self.console.print(line, soft_wrap=True, markup=False)


def _activities(run: Run) -> list[ProfilerActivity]:
    on_gpu = [ProfilerActivity.CUDA] if run.device.type == "cuda" else []
    return [ProfilerActivity.CPU, *on_gpu]


def _trace_of(recorded: profile) -> bytes:
    """The trace in Chrome's format, as JSON, compressed.

    Raises:
        FaultError: the temporary folder is full, which torch only logs.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        recorded.export_chrome_trace(str(path))
        text = path.read_bytes() if path.exists() else b""
    if not text.rstrip().endswith(b"}"):
        hint = "free some space, or set TMPDIR to another folder"
        raise storage_fault("the profile cannot be written", hint=hint, place=folder)
    return gzip.compress(text, mtime=0)
