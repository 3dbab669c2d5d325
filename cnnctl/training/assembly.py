"""A new run: network, averages, optimizer and schedule, in their initial state."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

import torch
from torch import nn

from cnnctl.distillation.distilling import Distilling
from cnnctl.distillation.teaching import Teaching
from cnnctl.experiment import Experiment, Task, require_weights
from cnnctl.metrics import Accuracy, watched
from cnnctl.model import network as networks
from cnnctl.model.freezing import Freezing, freezing_of
from cnnctl.model.in_place import rectify_in_place
from cnnctl.model.measured_initializers import Samples
from cnnctl.model.network import NetworkPlan
from cnnctl.model.recomputation import recompute_
from cnnctl.optim.averages import average_of
from cnnctl.optim.groups import (
    ParameterGroup,
    build_optimizer,
    merged,
    parameter_groups,
)
from cnnctl.optim.regularizers import EarlyStopper
from cnnctl.optim.schedulers import Schedule
from cnnctl.training.run import Run, stopping_metric
from cnnctl.training.tally import RunningSums
from cnnctl.world import ALONE, World


def assemble(
    experiment: Experiment,
    *,
    plan: NetworkPlan,
    tasks: tuple[Task, ...],
    device: torch.device,
    steps_per_epoch: int,
    samples: Samples | None = None,
    teaching: Teaching | None = None,
    world: World = ALONE,
) -> Run:
    """Build network, averages, optimizer and schedule, in their initial state.

    samples: for initializers that are measured on training data; see `network.build`.

    Raises:
        FaultError: the network has no weights.
    """
    require_weights(plan)
    train, regularization = experiment.train, experiment.regularization
    network = _network(experiment, plan, device, samples)
    freezing = _freeze(network, experiment)
    average = average_of(
        network,
        ema=regularization.ema,
        lookahead=regularization.lookahead,
        steps=train.epochs * steps_per_epoch,
    )
    distilling = _distilling(teaching, network, experiment, device)
    recompute_(network, train.activation_checkpointing)
    groups = _groups(network, experiment, late=freezing.names, distilling=distilling)
    optimizer = build_optimizer(groups, fused=True)
    freezing.begin_epoch(1)
    return Run(
        experiment=experiment,
        plan=plan,
        tasks=tasks,
        device=device,
        network=network,
        freezing=freezing,
        groups=groups,
        optimizer=optimizer,
        schedule=Schedule(
            experiment.scheduler,
            optimizer,
            steps_per_epoch=steps_per_epoch,
            epochs=train.epochs,
            own=[group.scheduler for group in groups],
            plan=train.plan,
        ),
        average=average,
        patience=_early_stopper(experiment),
        tally=_tally(tasks, device, distilling),
        distilling=distilling,
        world=world,
    )


def _network(
    experiment: Experiment, plan: NetworkPlan, device: torch.device, samples: Samples | None
) -> nn.Module:
    """The network with its initial weights, on the device and in the memory format."""
    network: nn.Module = networks.build(plan, seed=experiment.seed, samples=samples)
    network = network.to(device)
    if experiment.train.memory_format == "channels_last":
        network = network.to(memory_format=torch.channels_last)
    rectify_in_place(network, plan.graph)
    return network


def _tally(
    tasks: Sequence[Task], device: torch.device, distilling: Distilling | None
) -> RunningSums:
    classifying = [t for t in tasks if t.target.kind in Accuracy.measures and not t.is_auxiliary]
    return RunningSums.on(
        device,
        weights=[task.weight for task in tasks],
        classifying=classifying,
        distilled=distilling.weights if distilling else (),
        agreeing=distilling.counters if distilling else 0,
    )


def _distilling(
    teaching: Teaching | None, network: nn.Module, experiment: Experiment, device: torch.device
) -> Distilling | None:
    if teaching is None:
        return None
    return Distilling.of(teaching, network, seed=experiment.seed, device=device)


def _freeze(network: nn.Module, experiment: Experiment) -> Freezing:
    """Permanent freezing takes effect at once, so the optimizer gets only what ever trains."""
    model = experiment.model
    freezing = freezing_of(network, model.freeze, unfreeze_at=model.unfreeze_at)
    if model.unfreeze_at is None:
        freezing.begin_epoch(1)
    return freezing


def _groups(
    network: nn.Module,
    experiment: Experiment,
    *,
    late: Collection[str],
    distilling: Distilling | None,
) -> list[ParameterGroup]:
    regularization = experiment.regularization
    in_groups = partial(
        parameter_groups,
        weight_decay=regularization.weight_decay,
        penalize=regularization.penalize,
    )
    groups = in_groups(network, experiment.optimizer, late=late)
    if distilling is not None:
        beside = experiment.optimizer.model_copy(update={"groups": []})
        groups = merged(groups, in_groups(distilling.regressors, beside))
    return groups


def _early_stopper(experiment: Experiment) -> EarlyStopper | None:
    stopping = experiment.regularization.early_stopping
    if stopping is None:
        return None
    metric = watched(stopping_metric(experiment))
    return EarlyStopper(stopping.patience, stopping.min_delta, more_is_better=metric.more_is_better)
