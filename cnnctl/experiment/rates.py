"""The learning rates of a run, computed from its schedule."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from cnnctl.experiment.spec import Experiment
from cnnctl.optim.schedulers.plateau import Plateau
from cnnctl.optim.schedulers.scheduler import Position, Scheduler

MOST_POINTS = 100_000
"""Steps at which the rate of a long run is looked at, evenly spread."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The learning rate at each step of a run, or of a long one at some."""

    steps_per_epoch: int
    epochs: int
    steps: list[int]
    """Steps taken before each of these rates; the last step is among them."""
    curves: list[list[float]]
    """The rates of the weights without a parameter group, then those of groups and of further
    optimizers that differ."""
    depends_on_progress: bool
    """Whether the run may lower them further."""

    @property
    def total(self) -> int:
        """Steps of the whole run."""
        return self.steps_per_epoch * self.epochs


def rates_of(experiment: Experiment, *, batches: int) -> Rates:
    """The learning rates of a run with so many batches an epoch."""
    steps_per_epoch = ceil(batches / experiment.train.accumulate)
    epochs = experiment.train.epochs
    last = steps_per_epoch * epochs - 1
    steps = [*range(0, last, max(1, last // MOST_POINTS)), last]
    positions = [Position(step, steps_per_epoch, epochs) for step in steps]
    return Rates(
        steps_per_epoch,
        epochs,
        steps,
        [
            [scheduler.learning_rate(position, lr=lr) for position in positions]
            for scheduler, lr in _rated(experiment)
        ],
        depends_on_progress=isinstance(experiment.scheduler, Plateau),
    )


def _rated(experiment: Experiment) -> list[tuple[Scheduler, float]]:
    """The different schedules and the rates that they start from, the optimizer's own first."""
    scheduler, optimizer = experiment.scheduler, experiment.optimizer
    found = [(scheduler, each.lr) for each in optimizer.parts()]
    for group in optimizer.groups:
        kinds = group.optimizer.parts() if group.optimizer else optimizer.parts()[:1]
        found += [(group.scheduler or scheduler, group.lr or each.lr) for each in kinds]
    return [pair for index, pair in enumerate(found) if pair not in found[:index]]
