"""The state of training: everything that changes during it, and how it is assembled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from typing import Any

import torch
from torch import nn, optim

from cnnctl.distillation.distilling import Distilling
from cnnctl.experiment import Experiment, Task, Thresholds
from cnnctl.metrics import METRICS, Accuracy, MeanLoss, Watched
from cnnctl.model.freezing import Freezing
from cnnctl.model.matching import fit_weights
from cnnctl.model.network import NetworkPlan
from cnnctl.model.weights_file import Tensors
from cnnctl.optim.averages import Average
from cnnctl.optim.groups import (
    ParameterGroup,
    freeze_finished,
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


def loss_weights(tasks: Sequence[Task], distilling: Distilling | None) -> list[float]:
    """The weight of each loss in the total loss: those of the tasks, then of what is distilled."""
    own = [task.weight for task in tasks]
    if distilling is None:
        return own
    return [*((1 - distilling.share) * weight for weight in own), *distilling.weights]


def stopping_metric(experiment: Experiment) -> str:
    """The metric that early stopping watches: its own, or the one that selects the best epoch."""
    stopping = experiment.regularization.early_stopping
    if stopping is None or stopping.monitor == "auto":
        return experiment.train.monitor
    return stopping.monitor
