"""Learning rates that follow a fixed curve; constant, too."""

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
    """Keep the learning rate as it is."""

    def rate(self, position: Position, *, lr: float) -> float:
        return lr


class Step(Scheduler, kind="step"):
    """Multiply by gamma every few epochs: torch's StepLR."""

    step_size: PositiveInt
    """Epochs between two cuts."""
    gamma: PositiveFloat = 0.1
    """The factor of a cut."""

    def rate(self, position: Position, *, lr: float) -> float:
        cuts = position.elapsed("epoch") // self.step_size
        return float(lr * self.gamma**cuts)


class MultiStep(Scheduler, kind="multi_step"):
    """Multiply by gamma at each milestone: torch's MultiStepLR."""

    milestones: Annotated[list[PositiveInt], Field(min_length=1)]
    """The epochs after which the rate is cut."""
    gamma: PositiveFloat = 0.1
    """The factor of a cut."""

    def rate(self, position: Position, *, lr: float) -> float:
        cuts = sum(milestone <= position.elapsed("epoch") for milestone in self.milestones)
        return lr * self.gamma**cuts


class Exponential(Scheduler, kind="exponential"):
    """Multiply by gamma every epoch: torch's ExponentialLR."""

    gamma: PositiveFloat
    """The factor of an epoch."""
    interval: Interval = "epoch"
    """Whether the rate moves after every epoch or a little with every step."""

    def rate(self, position: Position, *, lr: float) -> float:
        return float(lr * self.gamma ** position.elapsed(self.interval))


class Cosine(Scheduler, kind="cosine"):
    """Fall along half a cosine: torch's CosineAnnealingLR (Loshchilov and Hutter 2016)."""

    lowest = "eta_min"

    T_max: PositiveInt | None = None
    """Epochs until the lowest rate; the whole run if left out."""
    eta_min: NonNegativeFloat = 0.0
    """The lowest learning rate."""
    interval: Interval = "step"
    """Whether the rate moves after every epoch or a little with every step."""

    def rate(self, position: Position, *, lr: float) -> float:
        done = position.elapsed(self.interval) / (self.T_max or position.epochs)
        return half_cosine(lr, self.eta_min, done)


class CosineRestarts(Scheduler, kind="cosine_restarts"):
    """Fall along half a cosine, again and again: torch's CosineAnnealingWarmRestarts."""

    lowest = "eta_min"

    T_0: PositiveInt
    """Epochs until the first restart."""
    T_mult: PositiveInt = 1
    """How many times longer each period is than the one before."""
    eta_min: NonNegativeFloat = 0.0
    """The lowest learning rate."""
    interval: Interval = "step"
    """Whether the rate moves after every epoch or a little with every step."""

    def rate(self, position: Position, *, lr: float) -> float:
        return half_cosine(lr, self.eta_min, self._done(position.elapsed(self.interval)))

    def _done(self, epochs: float) -> float:
        """The share of the running period that has passed."""
        if self.T_mult == 1:
            return epochs % self.T_0 / self.T_0
        period = self.T_0
        while epochs >= period:
            epochs -= period
            period *= self.T_mult
        return epochs / period


class Linear(Scheduler, kind="linear"):
    """Move along a line from one factor to another, then stay: torch's LinearLR."""

    start_factor: PositiveFraction = 1 / 3
    """The factor at the start."""
    end_factor: UnitInterval = 1.0
    """The factor at the end."""
    total_iters: PositiveInt | None = None
    """Epochs from one to the other; the whole run if left out."""
    interval: Interval = "step"
    """Whether the rate moves after every epoch or a little with every step."""

    def rate(self, position: Position, *, lr: float) -> float:
        total = self.total_iters or position.epochs
        done = min(position.elapsed(self.interval) / total, 1.0)
        return lr * (self.start_factor + (self.end_factor - self.start_factor) * done)


class Polynomial(Scheduler, kind="polynomial"):
    """Fall to zero as a power of what remains: torch's PolynomialLR."""

    total_iters: PositiveInt | None = None
    """Epochs until zero; the whole run if left out."""
    power: PositiveFloat = 1.0
    """The power; 1 is a straight line."""
    interval: Interval = "step"
    """Whether the rate moves after every epoch or a little with every step."""

    def rate(self, position: Position, *, lr: float) -> float:
        total = self.total_iters or position.epochs
        done = min(position.elapsed(self.interval) / total, 1.0)
        return float(lr * (1.0 - done) ** self.power)


class InverseSqrt(Scheduler, kind="inverse_sqrt"):
    """Fall as 1 / sqrt(step) after a warm-up (Vaswani et al. 2017, section 5.3).

    After step s, for a warm-up of w steps, the rate is lr * sqrt(w / s).
    """

    warmup: Annotated[Warmup, alone("epochs", PositiveInt | Warmup)]
    """Linear warm-up to lr, as a number of epochs or with options; the longer, the slower the
    fall."""

    def rate(self, position: Position, *, lr: float) -> float:
        rise = self.warmup.epochs
        return lr * math.sqrt(rise / (rise + position.elapsed("step")))


def half_cosine(start: float, end: float, done: float) -> float:
    """From `start` to `end` along half a cosine, as `done` goes from 0 to 1."""
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2
