"""One step of the optimizer: forward, backward, clip, update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, repeat
from typing import Literal, cast
from warnings import warn

import torch
from torch import Tensor, nn

from cnnctl.device import autocast
from cnnctl.experiment import Task, build_loss, build_normalizer, task_weights
from cnnctl.optim.losses import Normalizer
from cnnctl.optim.regularizers import clip_, penalized, penalty
from cnnctl.training.compilation import Compiled, Failed, Propagate, propagate
from cnnctl.training.divergence import FiniteGuard
from cnnctl.training.run import Run, RunningSums

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Step:
    """Takes a step of a run. Its fields do not change within an epoch."""

    run: Run
    propagate: Propagate
    normalizer: Normalizer
    """Targets of a batch -> the denominators of its mean losses."""
    weights: Tensor
    """Weight of each task's loss in the total loss; shaped as the losses."""
    classifying: Sequence[Task]
    """The tasks whose correct predictions are counted."""
    guard: FiniteGuard
    trainable: list[nn.Parameter]
    penalized: list[nn.Parameter]
    averages: bool
    """Whether `propagate` returns mean losses, not sums."""
    is_mean: bool
    """Whether the step minimises the mean loss of its batches, not the sum."""

    def __call__(self, batches: Sequence[Batch]) -> None:
        """Update the weights to reduce the loss of all these batches together.

        Raises:
            FaultError: the loss is not finite; the weights are unchanged.
        """
        run = self.run
        run.schedule.apply(run.counters.step)
        tallies = chain([run.tally], repeat(None))  # lbfgs evaluates many times what counts once
        run.optimizer.step(lambda: cast(float, self.differentiate(batches, next(tallies))))
        if run.average is not None:
            run.average.update(step=run.counters.step)
        run.counters.step += 1
        run.counters.batch += len(batches)

    def differentiate(self, batches: Sequence[Batch], tally: RunningSums | None) -> Tensor:
        """Compute the gradients of the loss of all batches, including penalties."""
        for parameter in self.trainable:
            parameter.grad = None  # faster than zero_grad, which does more bookkeeping
        sizes = [self.normalizer(targets) for _, targets in batches]
        whole = sum(sizes)
        # the sum divided by all targets of the step is the mean of one large batch
        factors = self.weights / whole if self.is_mean and not self.averages else self.weights
        losses: list[Tensor] = []
        for (inputs, targets), size in zip(batches, sizes, strict=True):
            outputs, loss = self.propagate(inputs, targets, factors)
            losses.append(torch.inner(loss, factors))
            if tally is not None:
                total = loss * size if self.averages else loss
                tally.add(total, size, self.count_right(outputs, targets), len(targets))
        return self.finish(losses)

    def finish(self, losses: list[Tensor]) -> Tensor:
        """Add the penalties, check the loss and clip."""
        settings = self.run.experiment.regularization
        if self.penalized:
            losses.append(penalty(self.penalized, l1=settings.l1, l2=settings.l2))
            losses[-1].backward()  # type: ignore[no-untyped-call]
        total = losses[0] if len(losses) == 1 else torch.stack(losses).detach().sum()
        self.guard.watch(total, self.run.counters.step)
        clip_(self.trainable, norm=settings.clip_norm, value=settings.clip_value)
        return total

    def for_epoch(self) -> Step:
        """The same step for the parameters that train in this epoch; see `Run.begin_epoch`."""
        return replace(self, trainable=_trainable(self.run), penalized=_penalized(self.run))

    @torch.no_grad()
    def count_right(self, outputs: Tensor, targets: Tensor) -> list[Tensor]:
        """Number of correct predictions of each task; see `Task.is_right`."""
        return [task.is_right(*task.of(outputs, targets)).sum() for task in self.classifying]


def make_step(run: Run, *, failed: Failed = warn) -> Step:
    """Make the training step of an experiment.

    failed: called with the reason if compiling fails; the step continues uncompiled.
    """
    is_mean = run.tasks[0].loss.reduction == "mean"
    averages = is_mean and run.experiment.train.accumulate == 1
    return Step(
        run=run,
        propagate=make_propagate(run, reduction="mean" if averages else "sum", failed=failed),
        normalizer=build_normalizer(run.tasks, device=run.device),
        weights=task_weights(run.tasks, device=run.device),
        classifying=run.classifying,
        guard=FiniteGuard(run.optimizer, run.device),
        trainable=_trainable(run),
        penalized=_penalized(run),
        averages=averages,
        is_mean=is_mean,
    )


def _trainable(run: Run) -> list[nn.Parameter]:
    return [parameter for parameter in run.network.parameters() if parameter.requires_grad]


def _penalized(run: Run) -> list[nn.Parameter]:
    settings = run.experiment.regularization
    return penalized(run.network, settings.penalize) if settings.l1 or settings.l2 else []


def make_propagate(
    run: Run, *, reduction: Literal["mean", "sum"], failed: Failed = warn
) -> Propagate:
    """Forward and backward pass of network and loss, compiled if the experiment says so."""
    network, precision = run.network, run.experiment.train.precision
    loss_of = build_loss(run.tasks, reduction=reduction).to(run.device)

    def forward(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        with autocast(precision, inputs.device):
            outputs = network(inputs)
        outputs = outputs.float()  # bf16 would round away small differences of the loss
        return outputs, loss_of(outputs, targets)

    mode = run.experiment.train.compile
    if not mode:
        return partial(propagate, forward)
    return Compiled(forward, mode=mode if isinstance(mode, str) else None, failed=failed)
