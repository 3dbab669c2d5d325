"""Run our schedulers and torch's over a whole run, for the learning rate of every step."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import optim
from torch.optim.lr_scheduler import LRScheduler

from cnnctl.optim.schedulers import Schedule, Scheduler

STEPS_PER_EPOCH = 7
LR = 0.3


class Run:
    """Twelve epochs of seven steps, at a learning rate of 0.3, with the optimizer of choice."""

    def __init__(self, *, epochs: int = 12, kind: Any = optim.SGD, **options: Any) -> None:
        self.epochs = epochs
        self.steps = epochs * STEPS_PER_EPOCH
        self.kind = kind
        self.options = options

    def optimizer(self) -> optim.Optimizer:
        optimizer: optim.Optimizer = self.kind([torch.zeros(1)], lr=LR, **self.options)
        return optimizer

    def ours(self, scheduler: Any) -> list[dict[str, Any]]:
        """What the optimizer's group holds at each step, set by our scheduler."""
        optimizer = self.optimizer()
        spec = Scheduler.read(scheduler)
        schedule = Schedule(spec, optimizer, steps_per_epoch=STEPS_PER_EPOCH, epochs=self.epochs)
        seen = []
        for step in range(self.steps):
            schedule.apply(step)
            seen.append(dict(optimizer.param_groups[0]))
        return seen

    def theirs(
        self, build: Callable[[optim.Optimizer], LRScheduler], *, by_epoch: bool = False
    ) -> list[dict[str, Any]]:
        """What it holds at each step, set by torch's scheduler."""
        optimizer = self.optimizer()
        scheduler = build(optimizer)
        seen = []
        for step in range(1, self.steps + 1):
            seen.append(dict(optimizer.param_groups[0]))
            optimizer.step()
            if not by_epoch or step % STEPS_PER_EPOCH == 0:
                scheduler.step()
        return seen


@pytest.fixture
def make_run() -> type[Run]:
    return Run


@pytest.fixture
def run() -> Run:
    return Run()
