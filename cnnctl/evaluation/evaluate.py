"""A checkpoint, held against a split of its data set."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from cnnctl.checkpoint import Checkpoint, load_weights
from cnnctl.data.loader import evaluation_batches
from cnnctl.data.preparation import Prepared, prepare
from cnnctl.device import memory_faults, pick_device, use_precision
from cnnctl.errors import data_fault
from cnnctl.evaluation.classification import Classification, measure_classification
from cnnctl.evaluation.outputs import collect_outputs, evaluation_batch, mean_loss
from cnnctl.evaluation.regression import Regression, measure_regression
from cnnctl.experiment import Experiment, Loaded
from cnnctl.model import network

Split = Literal["test", "validation", "train"]


def evaluate_checkpoint(
    loaded: Loaded,
    checkpoint: Checkpoint,
    *,
    split: Split,
    batch_size: int | None,
    device: str,
    data_root: Path,
) -> Classification | Regression:
    """Measure a checkpoint on a split, prepared as in training but not augmented.

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
    split: Split,
    *,
    batch_size: int,
    device: torch.device,
    root: Path,
) -> Classification | Regression:
    experiment, precision = loaded.experiment, loaded.experiment.train.precision
    use_precision(precision, device)
    built = network.build(loaded.plan, seed=experiment.seed)
    load_weights(built, checkpoint.weights)
    data = prepare(experiment.data, seed=experiment.seed, root=root)
    samples = getattr(data.splits, split)
    if not len(samples):
        message = f"the {split} split of {experiment.data.kind} is empty"
        raise data_fault(message, cure="choose another with --split")
    batches = evaluation_batches(data, samples, device=device).in_order(batch_size=batch_size)
    outputs, targets = collect_outputs(built.to(device), batches, precision=precision)
    return _measure(experiment, data, outputs, targets, loaded.description.class_names)


def _measure(
    experiment: Experiment,
    data: Prepared,
    outputs: Tensor,
    targets: Tensor,
    class_names: tuple[str, ...],
) -> Classification | Regression:
    loss = mean_loss(experiment, outputs, targets)
    if class_names:
        shares = experiment.loss.probabilities(outputs)
        return measure_classification(shares, targets, class_names=class_names, loss=loss)
    units = data.normalize_targets
    if units is not None:
        outputs, targets = units.undo(outputs), units.undo(targets)
    return measure_regression(outputs, targets, loss=loss)
