"""Evaluation of a trained network on a split of its dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from cnnctl.data.device_store import Batch, DeviceStore
from cnnctl.data.download import used_folder
from cnnctl.data.loader import Batches, evaluation_batches
from cnnctl.data.preparation import SplitName, read_split, splits_of
from cnnctl.data.samples import Split
from cnnctl.device import memory_faults
from cnnctl.errors import data_fault
from cnnctl.evaluation.heads import Heads
from cnnctl.evaluation.measured import Measured, measure
from cnnctl.evaluation.scores import mean_loss, predictions
from cnnctl.experiment import Task
from cnnctl.metrics import Predictions
from cnnctl.prediction.outputs import block_size, collect_outputs, outputs_of_all
from cnnctl.prediction.views import with_views
from cnnctl.run_lookup import find_checkpoint
from cnnctl.trained import TrainedNetwork, open_trained
from cnnctl.world import ALONE, World

Result = Measured | Heads


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of an evaluation, and its split."""

    split: str
    result: Result
    views: int = 1
    """Views of each sample, over which outputs were averaged."""

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {"split": self.split, "views": self.views, **self.result.to_json()}


@dataclass(frozen=True, slots=True)
class Measurable:
    """A trained network and a split of its dataset, read once and measured as often as needed."""

    trained: TrainedNetwork
    split: SplitName
    batches: Batches
    """The samples, prepared as in training but not augmented."""
    batch_size: int
    views: int = 1
    """Views of each sample, over which the network averages its outputs."""
    world: World = ALONE
    """The ranks that divide the samples among them."""

    @property
    def samples(self) -> int:
        """The number of samples."""
        return len(self.batches.positions)

    def blocks(self) -> Iterator[Batch]:
        """The samples in order, in blocks of `batch_size`; see `Batches.in_order`."""
        return self.batches.in_order(batch_size=self.batch_size, filled=True)

    def measure(self, blocks: Iterable[Batch] | None = None) -> Evaluation:
        """Measure the network on its samples, or on these blocks of them, which may be changed.

        Raises:
            FaultError: memory runs out.
        """
        with memory_faults(self.trained.device, batch_size=f"--batch-size={self.batch_size}"):
            precision = self.trained.experiment.train.precision
            if blocks is None:
                found = outputs_of_all(
                    self.trained.network,
                    self.batches,
                    block=self.batch_size,
                    precision=precision,
                    world=self.world,
                )
            else:
                found = collect_outputs(self.trained.network, blocks, precision=precision)
            return Evaluation(self.split, _measured(self.trained, *found), self.views)


def open_checkpoint(
    source: Path,
    *,
    split: SplitName | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    data_root: Path | None = None,
    plugins: Sequence[Path] = (),
    limit: int | None = None,
    views: int = 1,
    world: World = ALONE,
) -> tuple[Path, Measurable]:
    """The checkpoint of a run, or this one, and its network with a split to measure it on.

    Raises:
        FaultError: those of `open_trained` and `open_split`.
    """
    path = find_checkpoint(source)
    trained = open_trained(path, device=device, plugins=plugins)
    root = used_folder(trained.experiment.data, data_root)
    return path, open_split(
        trained,
        split=split,
        batch_size=batch_size,
        data_root=root,
        limit=limit,
        views=views,
        world=world,
    )


def open_split(
    trained: TrainedNetwork,
    *,
    split: SplitName | None,
    batch_size: int | None,
    data_root: Path | None = None,
    limit: int | None = None,
    views: int = 1,
    world: World = ALONE,
) -> Measurable:
    """Read a split to measure a trained network on.

    The default split is test, or else validation, or else train. `limit` draws so many of its
    samples, the same ones each time. `views` are those of `with_views`.

    Raises:
        FaultError: its samples have no such views; the data is missing, or the split empty; memory
            runs out.
    """
    trained = with_views(trained, views)
    data, there = trained.experiment.data, splits_of(trained.experiment.data)
    name = split or there[0]
    if name not in there:
        message = f"the {name} split of {data.kind} is empty"
        raise data_fault(message, hint=f"use --split {' or '.join(there)}")
    size = batch_size or block_size(trained.plan, trained.device)
    with memory_faults(trained.device, batch_size=f"--batch-size={size}"):
        read = read_split(data, name, seed=trained.experiment.seed, root=data_root)
        if limit is not None:
            read = _some(read, limit)
        heads = [task.name for task in trained.tasks if task.name]
        store = DeviceStore.of(data, read.samples, device=trained.device, targets=heads)
        batches = evaluation_batches(data, store, read)
        return Measurable(trained, name, batches, size, views, world)


def evaluate(
    trained: TrainedNetwork,
    *,
    split: SplitName | None,
    batch_size: int | None,
    data_root: Path | None = None,
) -> Evaluation:
    """Measure a trained network on a split, prepared as in training but not augmented.

    The default split is test, or else validation, or else train.

    Raises:
        FaultError: the data is missing, the split is empty, or memory runs out.
    """
    return open_split(trained, split=split, batch_size=batch_size, data_root=data_root).measure()


def _some(split: Split, count: int) -> Split:
    """So many samples of a split, drawn at random and in their order."""
    drawn = torch.randperm(len(split), generator=Generator().manual_seed(0))[:count]
    return Split(split.samples, split.positions[drawn.sort().values])


def _measured(trained: TrainedNetwork, outputs: Tensor, targets: Tensor) -> Result:
    measured = {
        task.name: measure(
            _predictions(trained, task, *task.of(outputs, targets)), kind=task.target.kind
        )
        for task in trained.tasks
    }
    return Heads.of(trained.tasks, measured) if trained.tasks[0].name else measured[""]


def _predictions(
    trained: TrainedNetwork, task: Task, outputs: Tensor, targets: Tensor
) -> Predictions:
    """Predictions for one task, from outputs (N, outputs), and its targets."""
    if task.target.kind != "values":
        return predictions(task, outputs, targets)
    loss = mean_loss(task, outputs, targets)
    outputs, targets = (trained.in_own_units(task, each) for each in (outputs, targets))
    return Predictions(loss, outputs.cpu().double(), targets.cpu().double())
