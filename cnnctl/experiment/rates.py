"""The learning rates of a run, computed from its schedule."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from cnnctl.experiment.spec import Experiment
from cnnctl.optim.schedulers.planning import scheduled_step
from cnnctl.optim.schedulers.plateau import Plateau
from cnnctl.optim.schedulers.scheduler import Position, Scheduler

MOST_POINTS = 100_000
"""Steps at which the rate of a long run is looked at, evenly spread."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The learning rate at each step of a run, or of a long one at some."""

    steps_per_epoch: int
    epochs: int
    total: int
    """Steps of the whole run."""
    steps: list[int]
    """Steps taken before each of these rates; the last step is among them."""
    curves: list[list[float]]
    """The rates of the weights without a parameter group, then those of groups and of further
    optimizers that differ."""
    depends_on_progress: bool
    """Whether the run may lower them further."""


def rates_of(experiment: Experiment, *, batches: int) -> Rates:
    """The learning rates of a run with so many batches an epoch."""
    steps_per_epoch = ceil(batches / experiment.train.accumulate)
    epochs, plan = experiment.train.epochs, experiment.train.plan
    all_steps = steps_per_epoch * epochs
    last = (min(plan[-1].total, all_steps) if plan else all_steps) - 1
    steps = [*range(0, last, max(1, last // MOST_POINTS)), last]
    scheduled = [scheduled_step(step, plan, steps=all_steps) for step in steps]
    positions = [Position(step, steps_per_epoch, epochs) for step in scheduled]
    return Rates(
        steps_per_epoch,
        ceil((last + 1) / steps_per_epoch),
        last + 1,
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
