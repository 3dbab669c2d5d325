"""The one scheduler that looks at how the run goes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from cnnctl.config.bounds import NonNegativeFloat, NonNegativeInt
from cnnctl.metrics import Accuracy, MeanLoss
from cnnctl.optim.schedulers.scheduler import Position, Scheduler


@dataclass(frozen=True, slots=True)
class Progress:
    """What `plateau` remembers from epoch to epoch; plain numbers."""

    epochs: int = 0
    """Epochs that have ended."""
    best: float | None = None
    """The best metric so far."""
    bad_epochs: int = 0
    """Epochs since it was seen, or since the last cut."""
    cooldown: int = 0
    """Epochs that are still not counted after a cut."""
    reductions: int = 0
    """How often the rate has been cut."""


class Plateau(Scheduler, kind="plateau"):
    """Cut the rate when a metric no longer gets better: torch's ReduceLROnPlateau."""

    lowest = "min_lr"

    mode: Literal["min", "max"] = "min"
    """Whether less is better (min watches the loss) or more is (max watches
    the accuracy)."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """The factor of a cut."""
    patience: NonNegativeInt = 10
    """Epochs without an improvement that are borne before a cut."""
    threshold: NonNegativeFloat = 1e-4
    """By how much a metric has to be better to count."""
    threshold_mode: Literal["rel", "abs"] = "rel"
    """Whether the threshold is a share of the best metric or a difference from it."""
    cooldown: NonNegativeInt = 0
    """Epochs after a cut that are not counted."""
    min_lr: NonNegativeFloat = 0.0
    """The lowest learning rate."""
    eps: NonNegativeFloat = 1e-8
    """A cut by less than this is left out."""

    @property
    def watches(self) -> str:
        return Accuracy.kind if self.mode == "max" else MeanLoss.kind

    def rate(self, position: Position, *, lr: float) -> float:
        for _ in range(position.reductions):
            cut = max(lr * self.factor, self.min_lr)
            if lr - cut <= self.eps:
                break
            lr = cut
        return lr

    def after_epoch(self, progress: Progress, metric: float) -> Progress:
        """What is known once an epoch has ended with this metric; a warm-up's is not judged."""
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
        return metric < best - margin if self.mode == "min" else metric > best + margin
