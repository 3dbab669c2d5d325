"""What a network shows on some training samples and in its answers, without a step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

import torch
from torch import Tensor, nn

from cnnctl.data.loader import Batches
from cnnctl.device import autocast
from cnnctl.diagnosis.facts import Answers, Inputs, Layer, Look
from cnnctl.experiment import Task, build_loss, task_weights
from cnnctl.model.layer import WeightedLayer
from cnnctl.model.network import NetworkPlan
from cnnctl.prediction.outputs import block_size, collect_outputs
from cnnctl.training.layer_statistics import (
    LayerStatistics,
    layer_statistics,
    layers_of,
    observed_outputs,
    own_weights,
)
from cnnctl.training.step import Batch

SAMPLES = 512
"""Training samples that are looked at (TheDeepChecker)."""
ANSWERED = 5000
"""Samples whose answers are looked at, at most."""


def look_at(
    network: nn.Module,
    batches: Batches,
    *,
    plan: NetworkPlan,
    tasks: Sequence[Task],
    precision: str,
    samples: int = SAMPLES,
) -> Look:
    """Run training samples through a network in evaluation mode, and restore its mode."""
    device = batches.source.device
    rows = batches.order(0)[:samples]
    blocks = batches.source.take_each(torch.split(rows, block_size(plan, device)))
    moments = torch.zeros(3, dtype=torch.float64, device=device)
    loss_of = build_loss(tasks, reduction="mean").to(device)
    weights, total = task_weights(tasks, device=device), torch.zeros((), device=device)
    was_training = network.training
    network.eval()
    with torch.no_grad(), observed_outputs(network) as outputs:
        for inputs, targets in blocks:
            with autocast(precision, device):
                found = network(inputs)
            total += len(targets) * torch.inner(loss_of(found.float(), targets), weights)
            moments += _moments(inputs)
    network.train(was_training)
    count, first, second = moments.tolist()
    mean = first / count
    inputs_found = Inputs(mean, max(0.0, second / count - mean**2) ** 0.5)
    rows_found = layer_statistics(network, outputs=outputs)
    layers = placed(rows_found, network, plan=plan, tasks=tasks)
    return Look(len(rows), layers, float(total) / len(rows), inputs_found)


def _moments(inputs: Tensor) -> Tensor:
    values = inputs.double()
    count = values.new_tensor(values.numel())
    return torch.stack([count, values.sum(), values.square().sum()])


def placed(
    rows: Sequence[LayerStatistics], network: nn.Module, *, plan: NetworkPlan, tasks: Sequence[Task]
) -> list[Layer]:
    """Rows of statistics, with the place of each layer in the network."""
    modules, ends = layers_of(network), set(_ends(tasks))
    return [
        Layer(row, is_matrix=fan > 0, is_output=row.layer in ends, fan_in=fan)
        for row in rows
        for fan in [_fan_in(modules[row.layer])]
    ]


def _fan_in(module: nn.Module) -> int:
    matrices = (weight for weight in own_weights(module) if weight.ndim > 1)
    return next((weight[0].numel() for weight in matrices), 0)


def _ends(tasks: Sequence[Task]) -> Iterator[str]:
    """The names of the layers of each task that no weights come after."""
    for task in tasks:
        leaves = [leaf for planned in task.layers for leaf in planned.leaves()]
        without = takewhile(lambda leaf: not isinstance(leaf.layer, WeightedLayer), leaves[::-1])
        yield from (leaf.name for leaf in without)


def answers_of(
    network: nn.Module,
    batches: Batches,
    *,
    split: str,
    plan: NetworkPlan,
    tasks: Sequence[Task],
    precision: str,
    samples: int = ANSWERED,
) -> list[Answers]:
    """What a network answers to samples of a split, for each task."""
    size = block_size(plan, batches.source.device)
    blocks = batches.source.take_each(torch.split(batches.order(0)[:samples], size))
    outputs, targets = collect_outputs(network, blocks, precision=precision)
    return [_answers(task, split, task.of(outputs, targets)) for task in tasks]


def _answers(task: Task, split: str, found: Batch) -> Answers:
    outputs, targets = found
    count = len(targets)
    if task.target.kind == "values":
        spreads = (_spread(outputs), _spread(targets.reshape(count, -1)))
        return Answers(task.name, split, count, *spreads, never=())
    predicted, right = task.predict(outputs), float(task.is_right(outputs, targets).float().mean())
    if task.target.kind == "labels":
        return Answers(
            task.name, split, count, _variety(predicted), _variety(targets > 0.5), (), right
        )
    classes = targets.argmax(1) if targets.is_floating_point() else targets
    names = task.target.class_names
    there = classes.bincount(minlength=len(names)).tolist()
    given = predicted.bincount(minlength=len(names)).tolist()
    never = [(name, there[at]) for at, name in enumerate(names) if there[at] and not given[at]]
    return Answers(task.name, split, count, _variety(predicted), _variety(classes), never, right)


def _variety(answers: Tensor) -> float:
    """The share of samples whose answer is not the most frequent one; (N,) or (N, L)."""
    counts = torch.unique(answers, dim=0, return_counts=True)[1]
    return 1 - float(counts.max()) / len(answers)


def _spread(values: Tensor) -> float:
    """The mean over the columns of (N, T) of their standard deviations."""
    return float(values.float().std(dim=0, correction=0).mean())
