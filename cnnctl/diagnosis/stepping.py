"""A few real steps from the weights of a network, of which nothing is kept."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import cycle, islice
from math import inf, nan
from statistics import median
from typing import TypeVar

import torch
from torch import Tensor, nn

from cnnctl.device import autocast
from cnnctl.diagnosis.facts import Modes, StepsTaken
from cnnctl.diagnosis.looking import placed
from cnnctl.errors import ExitCode, FaultError
from cnnctl.experiment import Loaded, build_loss, task_weights
from cnnctl.optim.schedulers.decays import Constant
from cnnctl.training.layer_statistics import LayerStatistics, copy_of_weights, layer_statistics
from cnnctl.training.run import Run
from cnnctl.training.setup import Setup
from cnnctl.training.step import Batch, make_step
from cnnctl.training.training import grouped
from cnnctl.verification.facts import TaskLoss
from cnnctl.verification.steps import first_losses

STEPS = 30
SECONDS = 20.0
"""Time after which no further step is taken."""
FEWEST = 3
COMPARED, SETTLING = 8, 32
"""Batches whose losses are compared in training and evaluation mode, and those before them that
bring the running statistics of norms up to date."""
COMPARED_SAMPLES = 1024
"""Samples of the compared batches, at most."""

Weights = Mapping[str, Tensor]
Item = TypeVar("Item")


def take_steps(setup: Setup, weights: Weights | None, *, count: int = STEPS) -> StepsTaken:
    """Train for a few steps at the optimizer's own rate, as warm-up or annealing would hide it.

    weights: those to start from; None for those that training starts from.
    """
    run = run_of(setup.with_compile(False), weights)
    modes = compare_modes(run, setup) if weights is not None else None
    step = make_step(run).for_epoch()
    groups = grouped(
        setup.batches.train.epoch(setup.typical_epoch), run.experiment.train.accumulate
    )
    rows: list[list[LayerStatistics]] = []
    norms: list[float] = []
    losses: list[TaskLoss] = []
    error = ""
    for group in in_time(islice(groups, count)):
        before = copy_of_weights(run.network)
        try:
            losses = losses or first_losses(setup, step, group)
            step(group)
            step.guard.raise_if_diverged(run.counters.step)
        except FaultError as fault:
            if fault.exit_code is not ExitCode.DIVERGED:
                raise
            error = fault.faults[0].message.partition(";")[0]
            break
        factor = _mean_factor(run, sum(len(targets) for _, targets in group))
        found = layer_statistics(run.network, before=before)
        rows.append([_scaled(row, factor) for row in found])
        norms.append(factor * _norm(run.network))
    medians = [_medians(list(layer)) for layer in zip(*rows, strict=True)]
    layers = placed(medians, run.network, plan=run.plan, tasks=run.tasks)
    return StepsTaken(
        len(rows), layers, norms, losses, modes or _modes_after(run, setup, error), error
    )


def last_step(run: Run, *, batch_samples: int) -> StepsTaken:
    """What the last step of a training has left in its network: the gradients."""
    factor = _mean_factor(run, run.experiment.train.accumulate * batch_samples)
    rows = [_scaled(row, factor) for row in layer_statistics(run.network)]
    layers = placed(rows, run.network, plan=run.plan, tasks=run.tasks)
    return StepsTaken(1, layers, norms=[], losses=[], modes=Modes(nan, nan))


def in_time(items: Iterable[Item]) -> Iterator[Item]:
    """These items until time is over, but at least a few."""
    end = time.perf_counter() + SECONDS
    for number, item in enumerate(items):
        if number >= FEWEST and time.perf_counter() > end:
            return
        yield item


def run_of(setup: Setup, weights: Weights | None) -> Run:
    """A run with these weights, at its first epoch and with a constant rate."""
    experiment = setup.experiment.model_copy(update={"scheduler": Constant()})
    loaded: Loaded = replace(setup.loaded, experiment=experiment)
    torch.manual_seed(experiment.seed)
    run = replace(setup, experiment=experiment, loaded=loaded).assemble()
    if weights is not None:
        run.take_weights(dict(weights))
    run.begin_epoch()
    return run


def _modes_after(run: Run, setup: Setup, error: str) -> Modes:
    return Modes(inf, inf) if error else compare_modes(run, setup, settled=True)


@torch.no_grad()
def compare_modes(run: Run, setup: Setup, *, settled: bool = False) -> Modes:
    """The losses of the same training batches, not augmented, in both modes.

    settled: whether the running statistics of norms are first brought up to date.
    """
    network, batches = run.network, setup.batches.train
    kept = deepcopy(network.state_dict())
    most = max(1, min(COMPARED, COMPARED_SAMPLES // batches.batch_size))
    rows = torch.split(batches.order(0), batches.batch_size)[:most]
    if settled and any(leaf.layer.mixes_samples for leaf in run.plan.leaves()):
        settling = islice(cycle(rows), SETTLING)
        for inputs, _ in in_time(batches.source.take_each(settling)):
            network(inputs)
    network.eval()
    evaluation = _mean_loss(run, batches.source.take_each(rows))
    run.begin_epoch()
    training = _mean_loss(run, batches.source.take_each(rows))
    network.load_state_dict(kept)
    return Modes(training, evaluation)


def _mean_loss(run: Run, batches: Iterable[Batch]) -> float:
    losses = [_loss(run, batch) for batch in batches]
    return sum(losses) / len(losses)


def _loss(run: Run, batch: Batch) -> float:
    inputs, targets = batch
    with autocast(run.experiment.train.precision, inputs.device):
        outputs = run.network(inputs).float()
    losses = build_loss(run.answers, reduction="mean").to(run.device)(outputs, targets)
    return float(torch.inner(losses, task_weights(run.answers, device=run.device)))


def _mean_factor(run: Run, samples: int) -> float:
    """What makes the gradient of a summed loss that of the mean."""
    return 1.0 if run.tasks[0].loss.reduction == "mean" else 1.0 / samples


def _scaled(row: LayerStatistics, factor: float) -> LayerStatistics:
    gradient = None if row.gradient is None else factor * row.gradient
    return replace(row, gradient=gradient)


def _norm(network: nn.Module) -> float:
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return float(nn.utils.get_total_norm(gradients))


def _medians(rows: Sequence[LayerStatistics]) -> LayerStatistics:
    """The medians over the steps; of updates over the later half, when small weights have grown."""
    later = rows[len(rows) // 2 :]
    gradients = [row.gradient for row in rows if row.gradient is not None]
    updates = [row.update for row in later if row.update is not None]
    return LayerStatistics(
        rows[0].layer,
        gradient=median(gradients) if gradients else None,
        weight=rows[-1].weight,
        update=median(updates) if updates else None,
    )
