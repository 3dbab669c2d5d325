"""The service without HTTP: models, their queues, and the thread that computes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from torch import Tensor

from cnnctl.errors import FaultError
from cnnctl.prediction.answers import Answer
from cnnctl.serving.batching import Lane, Worker
from cnnctl.serving.bodies import Given
from cnnctl.serving.explaining import Drawn, HeatMapOf, heat_maps
from cnnctl.serving.limits import Limits
from cnnctl.serving.metrics import Metrics
from cnnctl.serving.models import ServedModel

MOST_DECODERS = 4
"""Threads that decode pictures; each may hold a picture of the largest size."""
MOST_MAPS = 16
"""Heat maps under way."""


@dataclass(frozen=True)
class Queued:
    """A model with its queues."""

    model: ServedModel
    answers: Lane[Tensor, tuple[Answer, ...]]
    heat_maps: Lane[HeatMapOf, Drawn]


@dataclass
class Service:
    """Answers for samples, and explains them."""

    models: Sequence[ServedModel]
    limits: Limits
    batch_wait: float
    """Seconds for which a batch waits for requests that are under way."""
    max_batch: int | None = None
    """Samples of a batch; by default, as many as the network computes at a time."""
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self._worker = Worker()
        self.queues = {model.name: self._queued(model) for model in self.models}
        self._decoders = ThreadPoolExecutor(
            min(MOST_DECODERS, os.cpu_count() or 1), thread_name_prefix="decoder"
        )

    def _queued(self, model: ServedModel) -> Queued:
        most = self.limits.waiting_bytes // model.bytes_of_a_sample
        answers = Lane[Tensor, tuple[Answer, ...]](
            self._worker,
            model.answers,
            largest=self.max_batch or model.sizes[-1],
            wait=self.batch_wait,
            capacity=max(1, min(self.limits.waiting, most)),
            note=self.metrics.note_batches(model.name),
        )
        self.metrics.watch(model.name, answers)
        maps = Lane[HeatMapOf, Drawn](
            self._worker, partial(heat_maps, model.subject), largest=1, wait=0.0, capacity=MOST_MAPS
        )
        return Queued(model, answers, maps)

    def start(self) -> None:
        """Begin to answer."""
        self._worker.start()

    def stop(self) -> None:
        """End once all that waits has been answered."""
        self._worker.stop()
        self._decoders.shutdown()

    async def read(self, inputs: Sequence[Given]) -> list[Tensor | FaultError]:
        """The samples, or why they cannot be read: small ones at once, others in a few threads."""
        quick = _read_quickly(inputs[0]) if len(inputs) == 1 else None
        if quick is not None:
            return [quick]
        loop = asyncio.get_running_loop()
        return await asyncio.gather(
            *(loop.run_in_executor(self._decoders, _read, each) for each in inputs)
        )


def _read_quickly(given: Given) -> Tensor | None:
    """The sample if it takes no time; None if it has to be read."""
    try:
        return given.quick() if given.quick else None
    except FaultError:
        return None


def _read(given: Given) -> Tensor | FaultError:
    try:
        return given.read()
    except FaultError as error:
        return error
