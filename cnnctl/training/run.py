"""The state of training: everything that changes during it, and how it is assembled."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn, optim

from cnnctl.experiment import Experiment, Task, Thresholds, require_weights
from cnnctl.metrics import METRICS, Accuracy, Watched, watched
from cnnctl.model import network as networks
from cnnctl.model.freezing import Freezing, freezing_of
from cnnctl.model.matching import fit_weights
from cnnctl.model.network import NetworkPlan
from cnnctl.model.weights_file import Tensors
from cnnctl.optim.regularizers import Average, EarlyStopper, Ema, parameter_groups
from cnnctl.optim.schedulers import Schedule


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

    def to_json(self) -> dict[str, Any]:
        """The counters as plain data."""
        return asdict(self)


@dataclass(slots=True)
class RunningSums:
    """Sums over the current epoch, which stay on the device until it ends."""

    sums: Tensor
    """float64: the sum of the losses of each task, and the denominators of their means; then the
    number of correct predictions of each task with classes, and of samples."""
    weights: tuple[float, ...]
    """Weight of each task's loss in the total loss."""
    parts: tuple[Tensor, ...]
    """Views of the sums: losses, normalizers, correct predictions, samples; `sums[0] += …` would
    look up, add and copy back at every step."""

    @classmethod
    def on(cls, device: torch.device, *, weights: Sequence[float], classifying: int) -> RunningSums:
        """Empty sums for tasks with these weights; `classifying` is how many have classes."""
        tasks = len(weights)
        sums = torch.zeros(2 * tasks + classifying + 1, dtype=torch.float64, device=device)
        many = (sums[:tasks], sums[tasks : 2 * tasks], *sums[2 * tasks :])
        return cls(sums, tuple(weights), many if tasks > 1 else sums.unbind())

    def add(
        self, losses: Tensor, normalizers: Tensor | int, right: Iterable[Tensor], samples: int
    ) -> None:
        """Add a batch: the sum and denominator of the losses of each task, and the numbers of
        correct predictions and of samples."""
        counted: list[Tensor | int] = [losses, normalizers, *right, samples]
        for part, more in zip(self.parts, counted, strict=True):
            part.add_(more)

    @property
    def samples(self) -> int:
        """Number of samples; waits for the device."""
        return int(self.sums[-1])

    def read(self) -> tuple[float, list[float]]:
        """Mean loss, and accuracy of each task; waits for the device."""
        *sums, samples = self.sums.tolist()
        tasks = len(self.weights)
        parts = zip(self.weights, sums[:tasks], sums[tasks : 2 * tasks], strict=True)
        loss = sum(weight * _ratio(total, size) for weight, total, size in parts)
        return loss, [_ratio(right, samples) for right in sums[2 * tasks :]]

    def clear(self) -> None:
        """Reset the sums."""
        self.sums.zero_()


def _ratio(total: float, size: float) -> float:
    return total / size if size else float("nan")


@dataclass(slots=True)
class Run:
    """Everything that changes during training."""

    experiment: Experiment
    plan: NetworkPlan
    tasks: tuple[Task, ...]
    device: torch.device
    network: nn.Module
    freezing: Freezing
    optimizer: optim.Optimizer
    schedule: Schedule
    average: Average | None
    patience: EarlyStopper | None
    tally: RunningSums
    counters: Counters = field(default_factory=Counters)
    thresholds: Thresholds = field(default_factory=dict)
    """Measured on the validation split at the end of the last epoch."""

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
        """Whether the last epoch is done, or early stopping ended the run."""
        done = self.counters.epoch >= self.experiment.train.epochs
        return done or self.counters.stopped_early

    @property
    def evaluated(self) -> nn.Module:
        """The network to evaluate and keep: the averaged one, if any."""
        return self.network if self.average is None else self.average.network

    def begin_epoch(self) -> None:
        """Put the network in training mode for the current epoch, except for frozen parts."""
        self.freezing.begin_epoch(self.counters.epoch + 1)

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
) -> Run:
    """Build network, averages, optimizer and schedule, in their initial state.

    Raises:
        FaultError: the network has no weights.
    """
    require_weights(plan)
    train, regularization = experiment.train, experiment.regularization
    network: nn.Module = networks.build(plan, seed=experiment.seed).to(device)
    if train.memory_format == "channels_last":
        network = network.to(memory_format=torch.channels_last)
    freezing = _freeze(network, experiment)
    optimizer = _optimizer(network, experiment, late=freezing.names)
    freezing.begin_epoch(1)
    classifying = [t for t in tasks if t.target.kind in Accuracy.measures and not t.is_auxiliary]
    return Run(
        experiment=experiment,
        plan=plan,
        tasks=tasks,
        device=device,
        network=network,
        freezing=freezing,
        optimizer=optimizer,
        schedule=Schedule(
            experiment.scheduler, optimizer, steps_per_epoch=steps_per_epoch, epochs=train.epochs
        ),
        average=_average(network, regularization.ema),
        patience=_early_stopper(experiment),
        tally=RunningSums.on(
            device, weights=[task.weight for task in tasks], classifying=len(classifying)
        ),
    )


def _freeze(network: nn.Module, experiment: Experiment) -> Freezing:
    """Permanent freezing takes effect at once, so the optimizer gets only what ever trains."""
    model = experiment.model
    freezing = freezing_of(network, model.freeze, unfreeze_at=model.unfreeze_at)
    if model.unfreeze_at is None:
        freezing.begin_epoch(1)
    return freezing


def _optimizer(
    network: nn.Module, experiment: Experiment, *, late: Collection[str]
) -> optim.Optimizer:
    regularization = experiment.regularization
    groups = parameter_groups(
        network,
        weight_decay=regularization.weight_decay,
        penalize=regularization.penalize,
        groups=experiment.optimizer.groups,
        late=late,
    )
    return experiment.optimizer.build(groups, fused=True)


def _average(network: nn.Module, ema: Ema | None) -> Average | None:
    return Average(network, decay=ema.decay, warmup=ema.warmup) if ema else None


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
