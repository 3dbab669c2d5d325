"""The state of training: everything that changes during it, and how it is assembled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from math import ceil
from typing import Any

import torch
from torch import nn, optim

from cnnctl.distillation.distilling import Distilling
from cnnctl.distillation.teaching import Teaching
from cnnctl.experiment import Experiment, Task, Thresholds, require_weights
from cnnctl.metrics import METRICS, Accuracy, MeanLoss, Watched, watched
from cnnctl.model import network as networks
from cnnctl.model.freezing import Freezing, freezing_of
from cnnctl.model.in_place import rectify_in_place
from cnnctl.model.matching import fit_weights
from cnnctl.model.measured_initializers import Samples
from cnnctl.model.network import NetworkPlan
from cnnctl.model.recomputation import recompute_
from cnnctl.model.weights_file import Tensors
from cnnctl.optim.averages import Average, average_of
from cnnctl.optim.groups import (
    ParameterGroup,
    build_optimizer,
    freeze_finished,
    merged,
    parameter_groups,
)
from cnnctl.optim.regularizers import EarlyStopper
from cnnctl.optim.schedulers import PlannedSteps, Schedule
from cnnctl.training.tally import RunningSums
from cnnctl.world import ALONE, World


@dataclass(slots=True)
class Counters:
    """The progress of a run."""

    epoch: int = 0
    """Completed epochs."""
    batch: int = 0
    """Completed batches of the current epoch."""
    step: int = 0
    """Optimizer steps of the whole run."""
    best: float | None = None
    """The best score so far, in the monitor's unit."""
    best_loss: float | None = None
    """The loss of that epoch, which breaks ties."""
    best_epoch: int = 0
    """The epoch with that score, from 1; without a validation split, the newest."""
    stopped_early: bool = False
    """Whether early stopping ended the run."""
    seconds: float = 0.0
    """Time taken when the state was saved; counted only for `train.max_minutes`."""

    def to_json(self) -> dict[str, Any]:
        """The counters as plain data."""
        return asdict(self)


@dataclass(slots=True)
class Run:
    """Everything that changes during training."""

    experiment: Experiment
    plan: NetworkPlan
    tasks: tuple[Task, ...]
    device: torch.device
    network: nn.Module
    freezing: Freezing
    groups: Sequence[ParameterGroup]
    """The groups of the optimizer, in its order."""
    optimizer: optim.Optimizer
    schedule: Schedule
    average: Average | None
    patience: EarlyStopper | None
    tally: RunningSums
    counters: Counters = field(default_factory=Counters)
    thresholds: Thresholds = field(default_factory=dict)
    """Measured on the validation split at the end of the last epoch."""
    distilling: Distilling | None = None
    """What is learned from teachers, if anything."""
    world: World = ALONE
    """The ranks that train together."""

    @property
    def answers(self) -> list[Task]:
        """The tasks of the trained network, without auxiliary classifiers."""
        return [task for task in self.tasks if not task.is_auxiliary]

    @property
    def classifying(self) -> list[Task]:
        """Those of them with classes."""
        return [task for task in self.answers if task.target.kind in Accuracy.measures]

    @property
    def watched(self) -> list[Watched]:
        """Metrics of the validation split other than loss and accuracy."""
        experiment = self.experiment
        kinds = {experiment.train.monitor, stopping_metric(experiment)}
        kinds.add(experiment.scheduler.watches)
        metrics = [metric() for kind, metric in METRICS.items() if kind in kinds]
        return [m for m in metrics if isinstance(m, Watched) and not m.is_always_followed]

    @property
    def is_finished(self) -> bool:
        """Whether the last epoch is done, or what is planned, or early stopping ended the run."""
        done = self.counters.epoch >= self.experiment.train.epochs
        ended = self.is_at_planned_end and not self.counters.batch
        return done or ended or self.counters.stopped_early

    @property
    def is_at_planned_end(self) -> bool:
        """Whether all steps are taken for which there is time."""
        return bool(self.schedule.plan) and not self.remaining_steps

    @property
    def remaining_steps(self) -> int:
        """Planned steps that are not taken yet."""
        step = self.counters.step
        return max(self.schedule.total(step) - step, 0)

    @property
    def planned_epochs(self) -> int:
        """Epochs of the run as planned; the last may be shorter."""
        return ceil(self.schedule.total(self.counters.step) / self.schedule.steps_per_epoch)

    def plan_steps(self, total: int) -> None:
        """Let the run have so many steps, and fit the rest of its schedule to them."""
        plan = PlannedSteps(after=self.counters.step, total=total)
        self.schedule.plan.append(plan)
        train = self.experiment.train.planned(plan)
        self.experiment = self.experiment.model_copy(update={"train": train})

    @property
    def evaluated(self) -> nn.Module:
        """The network to evaluate and keep: the averaged one, if any."""
        return self.network if self.average is None else self.average.network

    def distilled(self) -> dict[str, float]:
        """What distillation added to the loss of this epoch, and how far the network agreed with
        its teachers; empty without any."""
        if self.distilling is None:
            return {}
        agreed = self.distilling.agreements(self.tally.agreed(), self.tally.samples)
        return {f"distillation_{MeanLoss.kind}": self.tally.distilled_loss()} | agreed

    def begin_epoch(self) -> None:
        """Put the network in training mode for the current epoch, except for frozen parts."""
        first = self.counters.epoch * self.schedule.steps_per_epoch
        self.freezing.begin_epoch(self.schedule.planned_epoch(first))
        freeze_finished(self.groups, self.schedule.is_over(first))

    def agree_on_weights(self) -> None:
        """Take the weights and buffers of rank 0, on all ranks."""
        networks = [self.network, *([self.average.network] if self.average else [])]
        for tensor in (each for network in networks for each in network.state_dict().values()):
            self.world.broadcast_(tensor)

    def agree_on_buffers(self) -> None:
        """Take the buffers of rank 0; of those of batch norm, only counters may differ."""
        for buffer in self.network.buffers():
            self.world.broadcast_(buffer)

    def take_weights(self, tensors: Tensors) -> tuple[str, ...]:
        """Load these weights; returns the names of tensors that keep their initialisation.

        Raises:
            FaultError: they do not fit; nothing is changed.
        """
        left_out = fit_weights(self.network, tensors)
        if self.average is not None:
            self.average.network.load_state_dict(self.network.state_dict())
        return left_out


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
    network: nn.Module = networks.build(plan, seed=experiment.seed, samples=samples)
    network = network.to(device)
    if train.memory_format == "channels_last":
        network = network.to(memory_format=torch.channels_last)
    rectify_in_place(network, plan.graph)
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
    classifying = [t for t in tasks if t.target.kind in Accuracy.measures and not t.is_auxiliary]
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
        tally=RunningSums.on(
            device,
            weights=[task.weight for task in tasks],
            classifying=len(classifying),
            distilled=distilling.weights if distilling else (),
            agreeing=distilling.counters if distilling else 0,
        ),
        distilling=distilling,
        world=world,
    )


def loss_weights(tasks: Sequence[Task], distilling: Distilling | None) -> list[float]:
    """The weight of each loss in the total loss: those of the tasks, then of what is distilled."""
    own = [task.weight for task in tasks]
    if distilling is None:
        return own
    return [*((1 - distilling.share) * weight for weight in own), *distilling.weights]


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


def stopping_metric(experiment: Experiment) -> str:
    """The metric that early stopping watches: its own, or the one that selects the best epoch."""
    stopping = experiment.regularization.early_stopping
    if stopping is None or stopping.monitor == "auto":
        return experiment.train.monitor
    return stopping.monitor
