"""The base of schedulers: the learning rate as a pure function of the position in the run.

torch.optim.lr_scheduler multiplies the last rate by the next factor. A function of the position
needs no state, so a resumed run cannot drift, and a warm-up can be put before any kind.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from cnnctl.config.bounds import PositiveFraction, PositiveInt, alone
from cnnctl.config.choice import Choice, Spec
from cnnctl.errors import config_fault
from cnnctl.metrics import MeanLoss

Interval = Literal["epoch", "step"]


@dataclass(frozen=True, slots=True)
class Position:
    """The position of an optimizer step in a run."""

    step: int
    """Steps taken before it."""
    steps_per_epoch: int
    epochs: int
    """Epochs of the whole run."""
    reductions: int = 0
    """Number of reductions by `plateau` so far."""

    def elapsed(self, interval: Interval) -> float:
        """Elapsed epochs: whole ones, or including the fraction of the current one."""
        if interval == "epoch":
            return self.step // self.steps_per_epoch
        return self.step / self.steps_per_epoch


class Warmup(Spec):
    """Linear warm-up of the learning rate before the scheduler starts."""

    epochs: PositiveInt
    """Length of the warm-up; the scheduler covers the remaining epochs."""
    start_factor: PositiveFraction = 0.1
    """Initial learning rate, as a fraction of the scheduler's first."""

    def factor(self, position: Position) -> float:
        """The factor on the learning rate."""
        done = min(position.step / (self.epochs * position.steps_per_epoch), 1.0)
        return self.start_factor + (1 - self.start_factor) * done

    def rest(self, position: Position) -> Position:
        """The position as the scheduler counts it, from the end of the warm-up."""
        step = max(position.step - self.epochs * position.steps_per_epoch, 0)
        return replace(position, step=step, epochs=position.epochs - self.epochs)


class Scheduler(Choice, family="schedulers"):
    """A learning rate schedule. Durations are in epochs."""

    lowest: ClassVar[str] = ""
    """The option that is the lowest learning rate, if the kind has one."""

    varies: ClassVar[bool] = True
    """Whether the rate after the warm-up is meant to change."""

    warmup: Annotated[Warmup, alone("epochs", PositiveInt | Warmup)] | None = None
    """Linear warm-up; a single number sets its epochs."""

    @property
    def watches(self) -> str:
        """The metric that the schedule depends on, if any."""
        return MeanLoss.kind

    @property
    def waits(self) -> int | None:
        """Epochs before the first change, if that depends on progress; None if on the position."""
        return None

    @abstractmethod
    def rate(self, position: Position, *, lr: float) -> float:
        """The rate after the warm-up at this position, for a group whose base rate is `lr`."""

    def learning_rate(self, position: Position, *, lr: float) -> float:
        """The rate of the step at this position, including the warm-up."""
        factor = self.warmup.factor(position) if self.warmup else 1.0
        return factor * self.rate(self.after_warmup(position), lr=lr)

    def after_warmup(self, position: Position) -> Position:
        """The position as `rate` counts it, from the end of the warm-up."""
        return self.warmup.rest(position) if self.warmup else position

    def check(self, *, epochs: int, lr: float, groups: Sequence[float] = ()) -> None:
        """Check the options against the run's length and the learning rates.

        lr: the optimizer's rate. groups: the rates of parameter groups that set one.

        Raises:
            FaultError: the warm-up takes the whole run, or the lowest rate is above one of them.
        """
        if self.warmup and self.warmup.epochs >= epochs:
            message = f"a warm-up of {self.warmup.epochs} epochs takes all {epochs} epochs"
            raise config_fault(message, hint="shorten it, or train longer", path=("warmup",))
        least = min([lr, *groups])
        if self.lowest and getattr(self, self.lowest) > least:
            whose = "the optimizer's" if least == lr else "a parameter group's"
            message = f"is above {whose} learning rate of {least:g}"
            raise config_fault(message, hint="choose a lower one", path=(self.lowest,))


class Cycle(Scheduler):
    """A schedule that cycles the momentum inversely to the learning rate."""

    cycle_momentum: bool = True
    """Cycle the momentum (beta1 of adam and the like) inversely to the learning rate, if the
    optimizer has one."""

    @abstractmethod
    def momentum(self, position: Position) -> float:
        """The momentum of the step at this position."""
