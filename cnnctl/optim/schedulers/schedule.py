"""A scheduler applied to an optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from torch.optim import Optimizer

from cnnctl.optim.schedulers.planning import PlannedSteps, scheduled_step
from cnnctl.optim.schedulers.plateau import Plateau, Progress
from cnnctl.optim.schedulers.scheduler import Cycle, Position, Scheduler

MOST_STEPS = 1000
"""Steps at which a rate is looked at, to see whether it stays 0."""


class Schedule:
    """Sets the learning rate, and for some kinds the momentum, before each step.

    A group with its own rate starts from that, as in torch; absolute rates of the kind (`eta_min`,
    `min_lr`, `base_lr`) are the same for all groups. Nothing here accesses a device.

    Args:
        own: the scheduler of each parameter group that has its own.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        optimizer: Optimizer,
        *,
        steps_per_epoch: int,
        epochs: int,
        own: Sequence[Scheduler | None] = (),
        plan: Sequence[PlannedSteps] = (),
    ) -> None:
        self.scheduler = scheduler
        self.optimizer = optimizer
        self.steps_per_epoch = steps_per_epoch
        self.epochs = epochs
        self.plan = list(plan)
        self.progress = Progress()
        self.own = own or [None] * len(optimizer.param_groups)
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])

    @property
    def all_steps(self) -> int:
        """Steps of all epochs."""
        return self.epochs * self.steps_per_epoch

    def total(self, step: int) -> int:
        """Steps of the whole run, as planned after this many."""
        totals = [each.total for each in self.plan if each.after <= step]
        return min(totals[-1], self.all_steps) if totals else self.all_steps

    def planned_epoch(self, step: int) -> int:
        """The epoch, from 1, of the whole schedule to which this step belongs."""
        return min(self._position(step).step // self.steps_per_epoch + 1, self.epochs)

    def apply(self, step: int) -> None:
        """Set the rates for the next step, after `step` steps of the whole run."""
        position = self._position(step)
        for group, own in zip(self.optimizer.param_groups, self.own, strict=True):
            scheduler = own or self.scheduler
            group["lr"] = scheduler.learning_rate(position, lr=group["initial_lr"])
            if isinstance(scheduler, Cycle) and scheduler.cycle_momentum:
                _set_momentum(group, scheduler.momentum(scheduler.after_warmup(position)))

    def is_over(self, step: int) -> list[bool]:
        """Whether the rate of each group is 0 in this step and those that follow.

        It is looked at in some of them, evenly spread, if they are many.
        """
        first = self._position(step)
        apart = max(1, (self.all_steps - first.step) // MOST_STEPS)
        left = range(first.step, self.all_steps, apart)
        return [
            scheduler.waits is None
            and all(scheduler.learning_rate(replace(first, step=at), lr=1.0) == 0 for at in left)
            for scheduler in (own or self.scheduler for own in self.own)
        ]

    def end_epoch(self, metric: float) -> None:
        """Record the metric that the scheduler watches after an epoch; only `plateau` uses it."""
        if isinstance(self.scheduler, Plateau):
            self.progress = self.scheduler.after_epoch(self.progress, metric)

    def state_dict(self) -> dict[str, Any]:
        """The state as plain data, which is that of `plateau`."""
        return asdict(self.progress)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a `state_dict`."""
        self.progress = Progress(**state)

    def _position(self, step: int) -> Position:
        if self.plan:
            step = scheduled_step(step, self.plan, steps=self.all_steps)
        return Position(step, self.steps_per_epoch, self.epochs, self.progress.reductions)


def _set_momentum(group: dict[str, Any], momentum: float) -> None:
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    elif "momentum" in group:
        group["momentum"] = momentum
