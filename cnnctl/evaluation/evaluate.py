"""Evaluation of a trained network on a split of its dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from cnnctl.data.loader import DeviceStore, evaluation_batches
from cnnctl.data.preparation import SplitName, read_split, splits_of
from cnnctl.data.samples import Split
from cnnctl.device import memory_faults
from cnnctl.errors import data_fault
from cnnctl.evaluation.heads import Heads
from cnnctl.evaluation.measured import Measured, measure
from cnnctl.evaluation.scores import mean_loss, predictions
from cnnctl.experiment import Task
from cnnctl.metrics import Predictions
from cnnctl.prediction.outputs import block_size, collect_outputs
from cnnctl.trained import TrainedNetwork

Result = Measured | Heads


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of an evaluation, and its split."""

    split: str
    result: Result

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {"split": self.split, **self.result.to_json()}


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
    data, there = trained.experiment.data, splits_of(trained.experiment.data)
    name = split or there[0]
    if name not in there:
        message = f"the {name} split of {data.kind} is empty"
        raise data_fault(message, hint=f"use --split {' or '.join(there)}")
    size = batch_size or block_size(trained.plan, trained.device)
    with memory_faults(trained.device, batch_size=f"--batch-size={size}"):
        measured_on = read_split(data, name, seed=trained.experiment.seed, root=data_root)
        return Evaluation(name, _measure(trained, measured_on, batch_size=size))


def _measure(trained: TrainedNetwork, split: Split, *, batch_size: int) -> Result:
    data, precision = trained.experiment.data, trained.experiment.train.precision
    heads = [task.name for task in trained.tasks if task.name]
    store = DeviceStore.of(data, split.samples, device=trained.device, targets=heads)
    in_order = evaluation_batches(data, store, split).in_order(batch_size=batch_size, filled=True)
    outputs, targets = collect_outputs(trained.network, in_order, precision=precision)
    measured = {
        task.name: measure(
            _predictions(trained, task, *task.of(outputs, targets)), kind=task.target.kind
        )
        for task in trained.tasks
    }
    return Heads.of(trained.tasks, measured) if heads else measured[""]


def _predictions(
    trained: TrainedNetwork, task: Task, outputs: Tensor, targets: Tensor
) -> Predictions:
    """Predictions for one task, from outputs (N, outputs), and its targets."""
    if task.target.kind != "values":
        return predictions(task, outputs, targets)
    loss = mean_loss(task, outputs, targets)
    outputs, targets = (trained.in_own_units(task, each) for each in (outputs, targets))
    return Predictions(loss, outputs.cpu().double(), targets.cpu().double())
