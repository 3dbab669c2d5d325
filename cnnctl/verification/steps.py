"""A few real steps: the loss before the first, the time of the others, and of what follows them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from statistics import median

import torch
from torch import Tensor

from cnnctl.checkpoint import encode
from cnnctl.data.loader import Batches
from cnnctl.data.preprocessing import Preprocessing
from cnnctl.errors import ExitCode, FaultError
from cnnctl.experiment import Task, pixel_share, starting_weights
from cnnctl.prediction.outputs import block_size, collect_outputs
from cnnctl.training.run import Run
from cnnctl.training.setup import Setup
from cnnctl.training.state import capture_best, capture_last
from cnnctl.training.step import Batch, Step, make_step
from cnnctl.training.training import grouped
from cnnctl.verification.dropout import without_dropout
from cnnctl.verification.facts import Duration, Steps, TaskLoss

WARM_UP = 2
"""Steps that are not timed."""
TIMED_SECONDS, MOST_TIMED = 2.0, 50
"""Steps are timed for so long, and at most so many."""
BLOCKS = 4
"""Blocks of an evaluation that are timed."""


def try_steps(setup: Setup) -> Steps:
    """Train a temporary run for a few steps, with all its real settings.

    Raises:
        FaultError: out of memory, or its initial weights are not available.
    """
    if setup.experiment.train.compile == "measure":
        setup = setup.with_compile(False)
    torch.manual_seed(setup.experiment.seed)
    run = setup.assemble()
    if (weights := starting_weights(setup.loaded)) is not None:
        run.take_weights(weights)
    run.begin_epoch()
    step = make_step(run).for_epoch()
    groups = grouped(
        setup.batches.train.epoch(setup.typical_epoch), setup.experiment.train.accumulate
    )
    first = next(groups)
    losses = list[TaskLoss]()
    try:
        losses = first_losses(setup, step, first)
        step(first)
        step.guard.raise_if_diverged(1)
        seconds = _seconds_per_batch(step, groups, fallback=first)
    except FaultError as error:
        if error.exit_code is not ExitCode.DIVERGED:
            raise
        return Steps(losses, 0, 0, 0, error.faults[0].message.partition(";")[0])
    evaluated = setup.batches.validation or setup.batches.test or setup.batches.train
    return Steps(losses, seconds, _seconds_per_sample(run, evaluated), _seconds_to_save(run))


def duration_of(setup: Setup, steps: Steps) -> Duration:
    """Estimate how long training takes."""
    batches, epochs = setup.batches, setup.experiment.train.epochs
    validation = len(batches.validation.positions) if batches.validation else 0
    test = len(batches.test.positions) if batches.test else 0
    training = len(batches.train) * steps.batch * pixel_share(setup.experiment)
    epoch = training + validation * steps.sample + steps.saving
    return Duration(epoch, epochs * epoch + test * steps.sample, epochs)


def first_losses(setup: Setup, step: Step, batches: list[Batch]) -> list[TaskLoss]:
    """The mean loss of each task over these batches before a step, in training without dropout.

    Raises:
        FaultError: the loss is not finite.
    """
    run = step.run
    with without_dropout(run.network, run.plan):
        step.differentiate(batches, run.tally)
    means = run.tally.means()[: len(run.tasks)]
    run.tally.clear()
    targets = torch.cat([targets for _, targets in batches])
    return [
        TaskLoss(
            task.name,
            task.target.kind,
            mean,
            _constant_loss(setup, task, task.own_targets(targets)),
            task.target.outputs,
        )
        for task, mean in zip(run.tasks, means, strict=True)
    ]


@torch.no_grad()
def _constant_loss(setup: Setup, task: Task, targets: Tensor) -> float:
    """The mean loss of an answer that does not depend on the inputs.

    Classes are judged on the targets of the batch, as they are mixed; values on those of the whole
    training split, of which a batch may be one sample.
    """
    outputs = task.output[0]
    if task.target.kind == "values":
        targets = _own_values(setup, task).to(targets.device)
        answer = targets.mean(dim=0, keepdim=True)
    elif task.loss.outputs == "logits":
        answer = torch.zeros(1, outputs)
    else:
        equal = 1 / outputs if outputs > 1 and task.target.kind == "class" else 0.5
        share = torch.full((1, outputs), equal)
        answer = share.log() if task.loss.outputs == "log_probabilities" else share
    loss = task.loss.model_copy(update={"reduction": "mean"}).build().to(targets.device)
    return float(loss(answer.to(targets.device).expand(len(targets), -1), targets))


def _own_values(setup: Setup, task: Task) -> Tensor:
    """The values of the training split as the network is to give them, (N, T)."""
    name = task.target.name
    values = setup.splits.train.target(name)
    return Preprocessing.of(setup.experiment.data).targets(values, name=name)


def _seconds_per_batch(
    step: Step, groups: Iterator[list[Batch]], *, fallback: list[Batch]
) -> float:
    """The median time of a batch; of few, the first steps are repeated."""
    taken: list[float] = []
    for number in range(WARM_UP + MOST_TIMED):
        step.run.counters.step = 1  # which the schedule has in any case
        start = time.perf_counter()
        group = next(groups, fallback)
        step(group)
        _wait(step.run.device)
        if number >= WARM_UP:
            taken.append((time.perf_counter() - start) / len(group))
        if sum(taken) > TIMED_SECONDS:
            break
    return median(taken)


def _seconds_per_sample(run: Run, batches: Batches) -> float:
    size = block_size(run.plan, run.device)
    blocks = islice(batches.in_order(batch_size=size, filled=True), 1 + BLOCKS)
    taken: list[float] = []
    for block in blocks:
        start = time.perf_counter()
        collect_outputs(run.evaluated, [block], precision=run.experiment.train.precision)
        _wait(run.device)
        taken.append((time.perf_counter() - start) / size)
    return median(taken[1:] or taken)


def _seconds_to_save(run: Run) -> float:
    """The time for both checkpoints of an epoch, which are not written."""
    start = time.perf_counter()
    for capture in (capture_best, capture_last):
        encode(capture(run))
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
