"""Records gradients, weights, updates and outputs of every layer while a run trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnnctl.data.device_store import Batch
from cnnctl.device import autocast
from cnnctl.training.layer_samples import LayerSamples
from cnnctl.training.layer_statistics import (
    ByLayer,
    LayerStatistics,
    OutputStatistics,
    copy_of_weights,
    hooked,
    layer_statistics,
)
from cnnctl.training.observers import Observer
from cnnctl.training.run import Run

SAMPLED = 5
"""Records of which one has histograms; those of a small network take longer than all else."""


@dataclass(frozen=True, slots=True)
class WatchedStep:
    """What was recorded of the layers at one step.

    It describes the step as the optimizer takes it: the outputs for its first batch, its gradients,
    clipped and with penalties, the change of the weights, and the weights after it.
    """

    step: int
    """The optimizer step, counted from 1."""
    epoch: int
    """The epoch, counted from 1, that it is part of."""
    rows: Sequence[LayerStatistics]
    samples: LayerSamples | None = None
    """Values for histograms, of one record in SAMPLED."""


class WatchRecorder(Observer):
    """Writes what is recorded of the layers."""

    def record(self, watched: WatchedStep) -> None:
        """Take one record."""


class Watch(Observer):
    """Measures the layers at the first step and at every `interval` steps.

    The outputs are those of a forward pass of its own, as hooks in a compiled network would compile
    it anew. It leaves random numbers and running statistics as they were, so that the weights of a
    run are the same with and without it.
    """

    def __init__(self, *recorders: WatchRecorder, interval: int) -> None:
        self.recorders = recorders
        self.interval = interval
        self.outputs = OutputStatistics()
        self.samples: LayerSamples | None = None
        self.before: ByLayer = {}

    def is_due(self, step: int) -> bool:
        """Whether this step, counted from 1, is recorded."""
        return step == 1 or step % self.interval == 0

    def is_sampled(self, step: int) -> bool:
        """Whether values of the tensors are part of the record of this step."""
        return step == 1 or step % (SAMPLED * self.interval) == 0

    def step_began(self, run: Run, batches: Sequence[Batch]) -> None:
        """Measure the outputs, and keep the weights, before the step changes them."""
        step = run.counters.step + 1
        if not self.is_due(step):
            return
        self.outputs = OutputStatistics()
        self.samples = LayerSamples() if self.is_sampled(step) else None
        inputs, _ = batches[0]
        precision = autocast(run.experiment.train.precision, run.device)
        with left_alone(run), hooked(run.network, self.see), torch.no_grad(), precision:
            run.network(inputs)
        self.before = copy_of_weights(run.network)

    def see(self, name: str, module: nn.Module, output: Tensor) -> None:
        """Measure the output of a layer."""
        self.outputs.add(name, module, output)
        if self.samples is not None:
            self.samples.add(f"outputs/{name}", output)

    def stepped(self, run: Run) -> None:
        """Record the step, if it is due; waits for the device."""
        counters = run.counters
        if not self.is_due(counters.step):
            return
        rows = layer_statistics(run.network, outputs=self.outputs, before=self.before)
        if self.samples is not None:
            self.samples.add_weights(run.network)
        watched = WatchedStep(counters.step, counters.epoch + 1, rows, self.samples)
        for recorder in self.recorders:
            recorder.record(watched)
        self.before = {}


@contextmanager
def left_alone(run: Run) -> Iterator[None]:
    """A context after which the random state and the buffers of the network are as before."""
    kept = [(buffer, buffer.clone()) for buffer in run.network.buffers()]
    devices = [run.device] if run.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        for buffer, before in kept:
            buffer.copy_(before)
