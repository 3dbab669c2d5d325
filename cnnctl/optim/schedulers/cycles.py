"""Learning rates that rise and fall with every step, and for some kinds momentum inversely."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cnnctl.config.bounds import Momentum, PositiveFloat, UnitInterval
from cnnctl.optim.schedulers.decays import half_cosine
from cnnctl.optim.schedulers.scheduler import Cycle, Position, Scheduler


class OneCycle(Cycle, kind="one_cycle"):
    """One cycle up to the optimizer's lr and far down: torch's OneCycleLR (Smith 2017)."""

    pct_start: UnitInterval = 0.3
    """Fraction of the run spent increasing the learning rate."""
    anneal_strategy: Literal["cos", "linear"] = "cos"
    """Annealing along a cosine or a line."""
    base_momentum: Momentum = 0.85
    """Momentum at the peak learning rate."""
    max_momentum: Momentum = 0.95
    """Momentum at the start and the end."""
    div_factor: PositiveFloat = 25.0
    """Initial learning rate is lr / div_factor."""
    final_div_factor: PositiveFloat = 1e4
    """Final learning rate is lr / div_factor / final_div_factor."""
    three_phase: bool = False
    """Return to the initial rate as fast as it rose, then anneal to the final rate."""

    def rate(self, position: Position, *, lr: float) -> float:
        first = lr / self.div_factor
        corners = [first, lr, first] if self.three_phase else [first, lr]
        return self._between([*corners, first / self.final_div_factor], position)

    def momentum(self, position: Position) -> float:
        corners = [self.max_momentum, self.base_momentum, self.max_momentum, self.max_momentum]
        return self._between(corners, position)

    def _between(self, corners: list[float], position: Position) -> float:
        phase, done = self._phase(position)
        start, end = corners[phase : phase + 2]
        if self.anneal_strategy == "cos":
            return half_cosine(start, end, done)
        return start + (end - start) * done

    def _phase(self, position: Position) -> tuple[int, float]:
        """The current phase, from 0, and the fraction of it that has passed."""
        total = position.epochs * position.steps_per_epoch
        step = min(position.step, total - 1)
        ends = [self.pct_start * total - 1, total - 1]
        if self.three_phase:
            ends.insert(1, 2 * self.pct_start * total - 2)
        phase = next(index for index, end in enumerate(ends) if step <= end)
        start = ends[phase - 1] if phase else 0
        # a rise of one step is at its peak at once; torch would divide by zero
        return phase, (step - start) / (ends[phase] - start) if ends[phase] > start else 1.0


class Triangular(Scheduler, kind="triangular"):
    """Rise linearly to the optimizer's lr, then fall linearly: as in airbench (Jordan 2024)."""

    pct_start: Annotated[float, Field(gt=0, lt=1)] = 0.23
    """Fraction of the run spent increasing the learning rate."""
    start_factor: UnitInterval = 0.2
    """Initial learning rate, as a fraction of lr."""
    end_factor: UnitInterval = 0.07
    """Learning rate at the end of the run, as a fraction of lr."""

    def rate(self, position: Position, *, lr: float) -> float:
        total = position.epochs * position.steps_per_epoch
        peak = max(1, int(self.pct_start * total))
        rise = self.start_factor + (1 - self.start_factor) * position.step / peak
        done = min((position.step - peak) / max(1, total - peak), 1.0)
        return lr * min(rise, 1 + (self.end_factor - 1) * done)


class Cyclic(Cycle, kind="cyclic"):
    """Cycle between base_lr and the optimizer's lr: torch's CyclicLR (Smith 2015)."""

    lowest = "base_lr"

    base_lr: PositiveFloat
    """Minimum learning rate."""
    step_size_up: PositiveFloat = 2.0
    """Epochs of the increasing half; Smith advises 2 to 10."""
    step_size_down: PositiveFloat | None = None
    """Epochs of the decreasing half (default: step_size_up)."""
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    """Constant peaks, peaks halved every cycle, or peaks decaying by gamma every epoch."""
    gamma: PositiveFloat = 1.0
    """Decay factor per epoch with mode=exp_range."""
    base_momentum: Momentum = 0.8
    """Momentum at the peak learning rate."""
    max_momentum: Momentum = 0.9
    """Momentum at the minimum learning rate."""

    def rate(self, position: Position, *, lr: float) -> float:
        return self.base_lr + (lr - self.base_lr) * self._height(position)

    def momentum(self, position: Position) -> float:
        swing = self.max_momentum - self.base_momentum
        return self.max_momentum - swing * self._height(position)

    def _height(self, position: Position) -> float:
        """From 0 at the lowest rate to 1 at the first peak."""
        epochs = position.elapsed("step")
        period = self.step_size_up + (self.step_size_down or self.step_size_up)
        cycle, done = divmod(epochs / period, 1)
        rise = self.step_size_up / period
        height = done / rise if done <= rise else (1 - done) / (1 - rise)
        if self.mode == "triangular2":
            return height / 2**cycle
        return float(height * self.gamma**epochs) if self.mode == "exp_range" else height
