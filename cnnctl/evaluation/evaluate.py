"""A checkpoint, held against a split of its data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnctl.checkpoint import Checkpoint, check_weights, load_weights
from cnnctl.data.dataset import DataSet
from cnnctl.data.loader import DeviceStore, evaluation_batches
from cnnctl.data.preparation import SplitName, read_split, splits_of
from cnnctl.data.preprocessing import Preprocessing
from cnnctl.device import memory_faults, pick_device, use_precision
from cnnctl.errors import data_fault
from cnnctl.evaluation.heads import Heads
from cnnctl.evaluation.measured import Measured, measure
from cnnctl.evaluation.outputs import collect_outputs, evaluation_batch
from cnnctl.evaluation.scores import mean_loss
from cnnctl.experiment import Loaded, Task
from cnnctl.metrics import Predictions
from cnnctl.model import network

Result = Measured | Heads


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured, and on which split."""

    split: str
    result: Result

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {"split": self.split, **self.result.to_json()}


def evaluate_checkpoint(
    loaded: Loaded,
    checkpoint: Checkpoint,
    *,
    split: SplitName | None,
    batch_size: int | None,
    device: str,
    data_root: Path,
) -> Evaluation:
    """Measure a checkpoint on a split, prepared as in training but not augmented.

    Without a split, it is the fairest there is: test, or else validation, or else train.

    Raises:
        FaultError: the data or the device is not there, the split is empty, the weights do not
            fit, or there is no memory left.
    """
    size = batch_size or evaluation_batch(loaded.plan)
    where = pick_device(device)
    with memory_faults(where, batch_size=f"--batch-size={size}"):
        return _evaluate(loaded, checkpoint, split, batch_size=size, device=where, root=data_root)


def _evaluate(
    loaded: Loaded,
    checkpoint: Checkpoint,
    split: SplitName | None,
    *,
    batch_size: int,
    device: torch.device,
    root: Path,
) -> Evaluation:
    experiment, precision = loaded.experiment, loaded.experiment.train.precision
    use_precision(precision, device)
    check_weights(network.meta_network(loaded.plan), checkpoint.weights)  # before memory is taken
    built = network.build(loaded.plan, seed=experiment.seed)
    load_weights(built, checkpoint.weights)
    data, there = experiment.data, splits_of(experiment.data)
    name = split or there[0]
    if name not in there:
        message = f"the {name} split of {data.kind} is empty"
        raise data_fault(message, hint=f"use --split {' or '.join(there)}")
    measured_on = read_split(data, name, seed=experiment.seed, root=root)
    tasks = [task for task in loaded.tasks if not task.is_auxiliary]
    heads = [task.name for task in tasks if task.name]
    store = DeviceStore.of(data, measured_on.samples, device=device, targets=heads)
    in_order = evaluation_batches(data, store, measured_on).in_order(batch_size=batch_size)
    outputs, targets = collect_outputs(built.to(device), in_order, precision=precision)
    measured = {
        task.name: measure(
            _predictions(task, data, *task.of(outputs, targets)), kind=task.target.kind
        )
        for task in tasks
    }
    return Evaluation(name, Heads.of(tasks, measured) if heads else measured[""])


def _predictions(task: Task, data: DataSet, outputs: Tensor, targets: Tensor) -> Predictions:
    """What the network says for one task, (N, outputs), beside its targets."""
    loss = mean_loss(task, outputs, targets)
    if task.target.kind == "class":
        predicted, shares = task.loss.predict(outputs), task.loss.probabilities(outputs)
        names = task.target.class_names
        return Predictions(loss, predicted.cpu(), targets.cpu(), names, shares.cpu())
    if task.target == data.whole().targets[0]:
        outputs, targets = map(Preprocessing.of(data).undo, (outputs, targets))
    return Predictions(loss, outputs.cpu().double(), targets.cpu().double())
