"""Regularization: penalties, clipping, early stopping and averaging."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from cnnctl.config.bounds import (
    NonNegativeFloat,
    PositiveFloat,
    PositiveFraction,
    PositiveInt,
    UnitInterval,
    alone,
)
from cnnctl.config.choice import Spec
from cnnctl.errors import Fault, FaultError
from cnnctl.metrics import Monitor
from cnnctl.optim.losses import Loss
from cnnctl.optim.losses.classes import CrossEntropy
from cnnctl.optim.optimizers import Optimizer

Penalized = Literal["weights", "all"]


class EarlyStopping(Spec):
    """Stop training when the validation metric stops improving."""

    patience: PositiveInt = 10
    """Epochs without improvement before training stops."""
    min_delta: NonNegativeFloat = 0.0
    """Minimum change that counts as an improvement."""
    monitor: Monitor = "auto"
    """Validation metric to monitor; `auto` is the one that selects the best epoch."""


class Ema(Spec):
    """Exponential moving average of the weights, used for evaluation."""

    decay: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of the average per step."""
    warmup: bool = True
    """Limit the decay in step n to (1 + n) / (10 + n), so that early weights fade faster."""


class Lookahead(Spec):
    """Slow weights, towards which the weights return every few steps; used for evaluation."""

    every: PositiveInt = 5
    """Steps between two returns."""
    alpha: PositiveFraction = 0.5
    """Share of the way that the slow weights go towards the weights (Zhang et al. 2019)."""
    ramp: NonNegativeFloat = 0.0
    """Power of the run's progress with which alpha falls from 1; 0 keeps it constant."""

    def share(self, progress: float) -> float:
        """Alpha at this progress of the run, from 0 to 1."""
        return 1 - (1 - self.alpha) * math.pow(progress, self.ramp)


class Regularization(Spec):
    """Regularization against overfitting."""

    l1: NonNegativeFloat = 0.0
    """L1 penalty: adds l1 * sum(|w|) to the loss."""
    l2: NonNegativeFloat = 0.0
    """L2 penalty: adds l2 / 2 * sum(w^2) to the loss; for SGD the same as weight_decay."""
    weight_decay: NonNegativeFloat = 0.0
    """The optimizer's weight decay, applied to penalized parameters only."""
    penalize: Penalized = "weights"
    """Parameters that l1, l2 and weight_decay apply to; `weights` excludes biases and norms."""
    label_smoothing: UnitInterval = 0.0
    """Label smoothing of cross_entropy: share of the target spread over all classes."""
    clip_norm: PositiveFloat | None = None
    """Maximum norm of the gradient over all parameters; larger ones are scaled down."""
    clip_value: PositiveFloat | None = None
    """Maximum absolute value of each element of the gradient."""
    early_stopping: (
        Annotated[EarlyStopping, alone("patience", PositiveInt | EarlyStopping)] | None
    ) = None
    """Early stopping; a single number sets the patience."""
    ema: Annotated[Ema, alone("decay", float | Ema)] | None = None
    """Exponential moving average of the weights; a single number sets the decay."""
    lookahead: Annotated[Lookahead, alone("every", PositiveInt | Lookahead)] | None = None
    """Lookahead: slow weights that follow the weights; a single number sets the steps between."""

    def check(self, *, optimizer: Optimizer, loss: Loss) -> None:
        """Check the options against the optimizer and the loss.

        Raises:
            FaultError: both set the same thing, or one does not support an option.
        """
        faults = [*self._decay_faults(optimizer), *self._smoothing_faults(loss)]
        if self.ema is not None and self.lookahead is not None:
            message = "ema and lookahead both set the weights that are evaluated"
            faults.append(Fault(message=message, hint="leave one of them out", path=("lookahead",)))
        if faults:
            raise FaultError(*faults)

    def _decay_faults(self, optimizer: Optimizer) -> Iterator[Fault]:
        own = getattr(optimizer, "weight_decay", None)
        path = ("weight_decay",)
        if self.weight_decay and own is None:
            yield Fault(message=f"{optimizer.kind} has no weight decay", hint="use l2", path=path)
        elif self.weight_decay and own:
            message = f"{optimizer.kind} already has a weight decay of {own:g}"
            hint = "write optimizer.weight_decay: 0, or remove this one"
            yield Fault(message=message, hint=hint, path=path)

    def _smoothing_faults(self, loss: Loss) -> Iterator[Fault]:
        path = ("label_smoothing",)
        if not self.label_smoothing:
            return
        if not isinstance(loss, CrossEntropy):
            message = f"{loss.kind} does not support label smoothing"
            yield Fault(message=message, hint="use cross_entropy, or remove it", path=path)
        elif loss.label_smoothing:
            message = f"{loss.kind} already has label smoothing"
            yield Fault(message=message, hint="leave one of them out", path=path)

    def smoothed(self, loss: Loss) -> Loss:
        """The loss with this label smoothing, if it is set and the loss supports it."""
        if not self.label_smoothing or not isinstance(loss, CrossEntropy):
            return loss
        return loss.model_copy(update={"label_smoothing": self.label_smoothing})


def penalized(network: nn.Module, which: Penalized) -> list[nn.Parameter]:
    """The trainable parameters that penalties apply to; shared ones appear once."""
    if which == "all":
        return _trainable(network)
    # biases and the parameters of batch and group norms have one dimension
    norms = (nn.LayerNorm, nn.RMSNorm)
    owners = (module for module in network.modules() if not isinstance(module, norms))
    found = (p for owner in owners for p in owner.parameters(recurse=False))
    return list(dict.fromkeys(p for p in found if p.requires_grad and p.ndim > 1))


def _trainable(network: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def penalty(parameters: Sequence[Tensor], *, l1: float, l2: float) -> Tensor:
    """l1 * sum(|w|) + l2 / 2 * sum(w^2), as one number with a gradient."""
    # one vector: one operation for all parameters costs less than one for each
    weights = torch.cat([parameter.reshape(-1) for parameter in parameters])
    terms = []
    if l1:
        terms.append(l1 * weights.abs().sum())
    if l2:
        terms.append(l2 / 2 * weights.dot(weights))
    return sum(terms, weights.new_zeros(()))


def clip_(parameters: Sequence[Tensor], *, norm: float | None, value: float | None) -> None:
    """Clip the gradients in place: each element by `value`, then all together by `norm`."""
    if value is not None:
        nn.utils.clip_grad_value_(parameters, value)
    if norm is not None:
        nn.utils.clip_grad_norm_(parameters, norm)


@dataclass(slots=True)
class EarlyStopper:
    """Counts the epochs since the last improvement."""

    patience: int
    """Epochs without improvement before stopping."""
    min_delta: float
    more_is_better: bool
    best: float | None = None
    bad_epochs: int = 0

    def end_epoch(self, metric: float) -> bool:
        """Record the metric of an epoch; returns whether to stop."""
        if self._is_better(metric):
            self.best, self.bad_epochs = metric, 0
        else:
            self.bad_epochs += 1
        return self.bad_epochs >= self.patience

    def _is_better(self, metric: float) -> bool:
        if self.best is None or not math.isfinite(metric):
            return math.isfinite(metric)
        gain = metric - self.best if self.more_is_better else self.best - metric
        return gain > self.min_delta

    def state_dict(self) -> dict[str, Any]:
        """The state as plain data."""
        return {"best": self.best, "bad_epochs": self.bad_epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a `state_dict`."""
        self.best, self.bad_epochs = state["best"], state["bad_epochs"]
