"""The one scheduler that depends on the progress of the run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from cnnctl.config.bounds import NonNegativeFloat, NonNegativeInt
from cnnctl.metrics import Accuracy, MeanLoss, Monitor, watched
from cnnctl.optim.schedulers.scheduler import Position, Scheduler


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of `plateau` between epochs; plain numbers."""

    epochs: int = 0
    """Completed epochs."""
    best: float | None = None
    """The best metric so far."""
    bad_epochs: int = 0
    """Epochs since then, or since the last reduction."""
    cooldown: int = 0
    """Remaining epochs to ignore after a reduction."""
    reductions: int = 0
    """Number of reductions."""


class Plateau(Scheduler, kind="plateau"):
    """Reduce the learning rate when a metric stops improving: torch's ReduceLROnPlateau."""

    lowest = "min_lr"

    monitor: Monitor = "auto"
    """Validation metric to monitor; `auto` is the loss, or the accuracy with `mode: max`."""
    mode: Literal["auto", "min", "max"] = "auto"
    """Whether lower or higher values are better; `auto` is what the metric says."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Factor of each reduction."""
    patience: NonNegativeInt = 10
    """Epochs without improvement to allow before a reduction."""
    threshold: NonNegativeFloat = 1e-4
    """Minimum change that counts as an improvement."""
    threshold_mode: Literal["rel", "abs"] = "rel"
    """Whether the threshold is relative to the best metric or absolute."""
    cooldown: NonNegativeInt = 0
    """Epochs to ignore after a reduction."""
    min_lr: NonNegativeFloat = 0.0
    """Minimum learning rate."""
    eps: NonNegativeFloat = 1e-8
    """Minimum reduction; smaller ones are skipped."""

    @property
    def watches(self) -> str:
        if self.monitor != "auto":
            return self.monitor
        return Accuracy.kind if self.mode == "max" else MeanLoss.kind

    @property
    def waits(self) -> int | None:
        # one epoch sets the best metric, and more than `patience` are no better
        return self.patience + 2

    @property
    def direction(self) -> Literal["min", "max"]:
        """What improves the metric: that it is minimised or maximised."""
        return "max" if watched(self.watches).more_is_better else "min"

    def rate(self, position: Position, *, lr: float) -> float:
        for _ in range(position.reductions):
            cut = max(lr * self.factor, self.min_lr)
            if lr - cut <= self.eps:
                break
            lr = cut
        return lr

    def after_epoch(self, progress: Progress, metric: float) -> Progress:
        """The state after an epoch with this metric, which is ignored during a warm-up."""
        progress = replace(progress, epochs=progress.epochs + 1)
        if self.warmup and progress.epochs <= self.warmup.epochs:
            return progress
        if self._is_better(metric, progress.best):
            progress = replace(progress, best=metric, bad_epochs=0)
        else:
            progress = replace(progress, bad_epochs=progress.bad_epochs + 1)
        if progress.cooldown:
            progress = replace(progress, cooldown=progress.cooldown - 1, bad_epochs=0)
        if progress.bad_epochs > self.patience:
            cuts = progress.reductions + 1
            return replace(progress, reductions=cuts, cooldown=self.cooldown, bad_epochs=0)
        return progress

    def _is_better(self, metric: float, best: float | None) -> bool:
        if best is None or not math.isfinite(metric):
            return math.isfinite(metric)
        margin = self.threshold * (best if self.threshold_mode == "rel" else 1.0)
        return metric < best - margin if self.direction == "min" else metric > best + margin
