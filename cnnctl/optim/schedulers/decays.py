"""Learning rates that follow a fixed curve or are constant."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from cnnctl.config.bounds import (
    NonNegativeFloat,
    PositiveFloat,
    PositiveFraction,
    PositiveInt,
    UnitInterval,
    alone,
)
from cnnctl.optim.schedulers.scheduler import Interval, Position, Scheduler, Warmup


class Constant(Scheduler, kind="constant"):
    """Constant learning rate."""

    varies = False

    def rate(self, position: Position, *, lr: float) -> float:
        return lr


class Step(Scheduler, kind="step"):
    """Decay by gamma every step_size epochs: torch's StepLR."""

    step_size: PositiveInt
    """Epochs between decays."""
    gamma: PositiveFloat = 0.1
    """Factor of each decay."""

    def rate(self, position: Position, *, lr: float) -> float:
        cuts = position.elapsed("epoch") // self.step_size
        return float(lr * self.gamma**cuts)


class MultiStep(Scheduler, kind="multi_step"):
    """Decay by gamma at each milestone: torch's MultiStepLR."""

    milestones: Annotated[list[PositiveInt], Field(min_length=1)]
    """Epochs after which to decay."""
    gamma: PositiveFloat = 0.1
    """Factor of each decay."""

    def rate(self, position: Position, *, lr: float) -> float:
        cuts = sum(milestone <= position.elapsed("epoch") for milestone in self.milestones)
        return lr * self.gamma**cuts


class Exponential(Scheduler, kind="exponential"):
    """Decay by gamma every epoch: torch's ExponentialLR."""

    gamma: PositiveFloat
    """Decay factor per epoch."""
    interval: Interval = "epoch"
    """Update the learning rate every epoch or every step."""

    def rate(self, position: Position, *, lr: float) -> float:
        return float(lr * self.gamma ** position.elapsed(self.interval))


class Cosine(Scheduler, kind="cosine"):
    """Cosine annealing: torch's CosineAnnealingLR (Loshchilov and Hutter 2016)."""

    lowest = "eta_min"

    T_max: PositiveInt | None = None
    """Epochs until the minimum (default: the whole run)."""
    eta_min: NonNegativeFloat = 0.0
    """Minimum learning rate."""
    interval: Interval = "step"
    """Update the learning rate every epoch or every step."""

    def rate(self, position: Position, *, lr: float) -> float:
        done = position.elapsed(self.interval) / (self.T_max or position.epochs)
        return half_cosine(lr, self.eta_min, done)


class CosineRestarts(Scheduler, kind="cosine_restarts"):
    """Cosine annealing with warm restarts: torch's CosineAnnealingWarmRestarts."""

    lowest = "eta_min"

    T_0: PositiveInt
    """Epochs until the first restart."""
    T_mult: PositiveInt = 1
    """Factor by which each period is longer than the previous one."""
    eta_min: NonNegativeFloat = 0.0
    """Minimum learning rate."""
    interval: Interval = "step"
    """Update the learning rate every epoch or every step."""

    def rate(self, position: Position, *, lr: float) -> float:
        return half_cosine(lr, self.eta_min, self._done(position.elapsed(self.interval)))

    def _done(self, epochs: float) -> float:
        """The fraction of the current period that has passed."""
        if self.T_mult == 1:
            return epochs % self.T_0 / self.T_0
        period = self.T_0
        while epochs >= period:
            epochs -= period
            period *= self.T_mult
        return epochs / period


class Linear(Scheduler, kind="linear"):
    """Change linearly from start_factor to end_factor, then stay constant: torch's LinearLR."""

    start_factor: PositiveFraction = 1 / 3
    """Initial factor."""
    end_factor: UnitInterval = 1.0
    """Final factor."""
    total_iters: PositiveInt | None = None
    """Epochs to get from one to the other (default: the whole run)."""
    interval: Interval = "step"
    """Update the learning rate every epoch or every step."""

    def rate(self, position: Position, *, lr: float) -> float:
        total = self.total_iters or position.epochs
        done = min(position.elapsed(self.interval) / total, 1.0)
        return lr * (self.start_factor + (self.end_factor - self.start_factor) * done)


class Polynomial(Scheduler, kind="polynomial"):
    """Polynomial decay to zero: torch's PolynomialLR."""

    total_iters: PositiveInt | None = None
    """Epochs until zero (default: the whole run)."""
    power: PositiveFloat = 1.0
    """Power of the polynomial; 1 is linear."""
    interval: Interval = "step"
    """Update the learning rate every epoch or every step."""

    def rate(self, position: Position, *, lr: float) -> float:
        total = self.total_iters or position.epochs
        done = min(position.elapsed(self.interval) / total, 1.0)
        return float(lr * (1.0 - done) ** self.power)


class InverseSqrt(Scheduler, kind="inverse_sqrt"):
    """Inverse square root decay after a warm-up (Vaswani et al. 2017, section 5.3).

    After step s, for a warm-up of w steps, the rate is lr * sqrt(w / s).
    """

    warmup: Annotated[Warmup, alone("epochs", PositiveInt | Warmup)]
    """Linear warm-up to lr; a single number sets its epochs. The longer it is, the slower the
    decay."""

    def rate(self, position: Position, *, lr: float) -> float:
        rise = self.warmup.epochs
        return lr * math.sqrt(rise / (rise + position.elapsed("step")))


def half_cosine(start: float, end: float, done: float) -> float:
    """From `start` to `end` along half a cosine, as `done` goes from 0 to 1."""
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2
