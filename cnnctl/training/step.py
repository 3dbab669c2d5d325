"""One step of the optimizer: forward, backward, clip, update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, repeat, zip_longest
from typing import Literal, cast
from warnings import warn

import torch
from torch import Tensor, nn

from cnnctl.device import autocast
from cnnctl.distillation.distilling import Distilling, parameters_of
from cnnctl.experiment import build_loss, build_normalizer, size_count, task_weights
from cnnctl.optim.losses import Normalizer
from cnnctl.optim.regularizers import clip_, penalized, penalty
from cnnctl.training.batch_norm import synchronized
from cnnctl.training.compilation import (
    Answers,
    Compiled,
    Failed,
    Mark,
    Propagate,
    propagate,
    unmarked,
)
from cnnctl.training.divergence import FiniteGuard
from cnnctl.training.micro_batches import micro_batches
from cnnctl.training.reduction import Reduction, running_statistics
from cnnctl.training.run import Run, loss_weights
from cnnctl.training.tally import RunningSums

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Step:
    """Takes a step of a run. Its fields do not change within an epoch."""

    run: Run
    propagate: Propagate
    normalizer: Normalizer
    """Targets of a batch -> the denominators of its mean losses."""
    weights: Tensor
    """Weight of each loss in the total loss; shaped as the losses."""
    guard: FiniteGuard
    trainable: list[nn.Parameter]
    penalized: list[nn.Parameter]
    reduction: Reduction
    """Sums over the ranks."""
    averages: bool
    """Whether `propagate` returns mean losses, not sums."""
    is_mean: bool
    """Whether the step minimises the mean loss of its batches, not the sum."""
    micro_batch_size: int | None = None
    """Samples of a batch that are computed at a time; None for all."""

    def __call__(self, batches: Sequence[Batch], rows: Sequence[Tensor] = ()) -> None:
        """Update the weights to reduce the loss of all these batches together.

        rows: the positions of their samples in the store, if they are known.

        Raises:
            FaultError: the loss is not finite; the weights are unchanged.
        """
        run = self.run
        run.schedule.apply(run.counters.step)
        tallies = chain([run.tally], repeat(None))  # lbfgs evaluates many times what counts once
        answers = self.answers(batches, rows)
        run.optimizer.step(lambda: cast(float, self.differentiate(batches, next(tallies), answers)))
        if run.average is not None:
            run.average.update(step=run.counters.step)
        run.counters.step += 1
        run.counters.batch += len(batches)

    def answers(self, batches: Sequence[Batch], rows: Sequence[Tensor] = ()) -> list[Answers]:
        """What the teachers answer to each batch; nothing without distillation."""
        distilling = self.run.distilling
        if distilling is None:
            return [()] * len(batches)
        pairs = zip_longest(batches, rows)
        return [distilling.answers(inputs, known) for (inputs, _), known in pairs]

    def differentiate(
        self,
        batches: Sequence[Batch],
        tally: RunningSums | None,
        answers: Sequence[Answers] | None = None,
    ) -> Tensor:
        """Compute the gradients of the loss of all batches, including penalties.

        answers: those of the teachers to each batch; by default, they are asked.
        """
        for parameter in self.trainable:
            parameter.grad = None  # faster than zero_grad, which does more bookkeeping
        answers = self.answers(batches) if answers is None else answers
        parts = list(micro_batches(batches, answers, size=self.micro_batch_size))
        sizes = [self.normalizer(targets) for _, targets, _ in parts]
        whole = self.reduction.total(sum(sizes))
        # the sum divided by all targets of the step is the mean of one large batch
        factors = self.weights / whole if self.is_mean and not self.averages else self.weights
        losses, counting = list[Tensor](), self.reduction.counting(tally)
        for (inputs, targets, told), size in zip(parts, sizes, strict=True):
            if not len(targets):
                continue  # a batch with fewer samples than ranks
            outputs, loss = self.propagate(inputs, targets, told, factors)
            losses.append(torch.inner(loss, factors))
            if counting is not None:
                scale = size if self.averages else 1
                agreement = self.agreement(outputs, told)
                counting.add(loss, size, outputs, targets, scale=scale, agreement=agreement)
        return self.finish(self.reduction(losses, tally))

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
        return replace(
            self,
            trainable=_trainable(self.run),
            penalized=_penalized(self.run),
            reduction=_reduction(self.run),
        )

    def agreement(self, outputs: Tensor, answers: Answers) -> Tensor | None:
        """The sums that the agreement with the teachers follows from, if there is one."""
        distilling = self.run.distilling
        if distilling is None or not distilling.counters:
            return None
        return distilling.agreement_sums(outputs, answers)


def make_step(run: Run, *, failed: Failed = warn, mark: Mark = unmarked) -> Step:
    """Make the training step of an experiment.

    failed: called with the reason if compiling fails; the step continues uncompiled.
    mark: called as each part of the step begins.
    """
    train = run.experiment.train
    size = train.micro_batch_size if isinstance(train.micro_batch_size, int) else None
    is_mean = run.tasks[0].loss.reduction == "mean"
    is_whole = train.accumulate == 1 and size is None and run.world.size == 1
    averages = is_mean and is_whole
    return Step(
        run=run,
        propagate=make_propagate(
            run, reduction="mean" if averages else "sum", failed=failed, mark=mark
        ),
        normalizer=_normalizer(run),
        weights=_weights(run),
        guard=FiniteGuard(run.optimizer, run.device),
        trainable=_trainable(run),
        penalized=_penalized(run),
        reduction=_reduction(run),
        averages=averages,
        is_mean=is_mean,
        micro_batch_size=size,
    )


def _weights(run: Run) -> Tensor:
    if run.distilling is None:
        return task_weights(run.tasks, device=run.device)
    return torch.tensor(loss_weights(run.tasks, run.distilling), device=run.device)


def _normalizer(run: Run) -> Normalizer:
    """Denominators of the losses of the tasks, then of what is distilled."""
    own = build_normalizer(run.tasks, device=run.device)
    if run.distilling is None:
        return own
    of_one = torch.tensor(run.distilling.sizes, device=run.device)

    def of_each(targets: Tensor) -> Tensor:
        size = own(targets)
        sizes = size if isinstance(size, Tensor) else of_one.new_full((), size)
        return torch.cat([sizes.reshape(-1).to(of_one), of_one * len(targets)])

    return of_each


def _trainable(run: Run) -> list[nn.Parameter]:
    learned = chain(run.network.parameters(), parameters_of(run.distilling))
    return [parameter for parameter in learned if parameter.requires_grad]


def _reduction(run: Run) -> Reduction:
    """The sums over the ranks, for the parameters that train in this epoch."""
    statistics = list(running_statistics(run.network))
    return Reduction(run.world, _trainable(run), statistics, run.tally.like())


def _penalized(run: Run) -> list[nn.Parameter]:
    settings = run.experiment.regularization
    if not settings.l1 and not settings.l2:
        return []
    learned = [run.network, *([run.distilling.regressors] if run.distilling else [])]
    return [each for part in learned for each in penalized(part, settings.penalize)]


def make_propagate(
    run: Run,
    *,
    reduction: Literal["mean", "sum"],
    failed: Failed = warn,
    mark: Mark = unmarked,
) -> Propagate:
    """Forward and backward pass of network and loss, compiled if the experiment says so."""
    network, precision = run.network, run.experiment.train.precision
    loss_of = build_loss(run.tasks, reduction=reduction).to(run.device)
    is_synchronized = run.experiment.train.sync_batch_norm and run.world.size > 1
    losses_of = _with_distilled(loss_of, run.distilling, reduction=reduction)

    def statistics() -> AbstractContextManager[None]:
        return synchronized(network, run.world) if is_synchronized else nullcontext()

    def forward(inputs: Tensor, targets: Tensor, answers: Answers) -> tuple[Tensor, Tensor]:
        with autocast(precision, inputs.device), statistics():
            outputs = network(inputs)
        outputs = outputs.float()  # bf16 would round away small differences of the loss
        return outputs, losses_of(outputs, targets, answers)

    mode = run.experiment.train.compile
    if not mode:
        return partial(propagate, forward, mark=mark)
    named = mode if isinstance(mode, str) else None
    return Compiled(forward, mode=named, failed=failed, mark=mark, sizes=size_count(run.experiment))


def _with_distilled(
    loss_of: nn.Module, distilling: Distilling | None, *, reduction: Literal["mean", "sum"]
) -> Callable[[Tensor, Tensor, Answers], Tensor]:
    """The losses of the tasks, and behind them those of what is distilled."""
    if distilling is None:
        return lambda outputs, targets, _: loss_of(outputs, targets)
    sizes = distilling.sizes

    def losses_of(outputs: Tensor, targets: Tensor, answers: Answers) -> Tensor:
        sums = distilling.losses(outputs, answers)
        if reduction == "mean":
            sums = [each / (size * len(targets)) for each, size in zip(sums, sizes, strict=True)]
        return torch.cat([loss_of(outputs, targets).reshape(-1), torch.stack(sums)])

    return losses_of
