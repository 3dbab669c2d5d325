"""Whether a network can learn a few samples by heart."""

from __future__ import annotations

import time
from dataclasses import replace

from torch import Tensor

from cnnctl.diagnosis.facts import Trial
from cnnctl.diagnosis.stepping import run_of
from cnnctl.diagnosis.yardstick import constant_loss
from cnnctl.errors import ExitCode, FaultError
from cnnctl.experiment import Experiment
from cnnctl.optim.losses import Loss
from cnnctl.optim.regularizers import Regularization
from cnnctl.training.run import Run
from cnnctl.training.setup import Setup
from cnnctl.training.step import make_step
from cnnctl.verification.dropout import without_dropout

SAMPLES, STEPS = 32, 300
SECONDS = 60.0
"""Time after which the trial is given up."""
LEARNED = 0.5
"""Loss of values, from 1 for their mean to 0, below which they count as learned; of classes, all
have to be right."""


def try_to_memorize(setup: Setup) -> Trial:
    """Train on a few samples until all are right: no augmentation, penalties or dropout."""
    run = run_of(_without_regularization(setup), None)
    batches = setup.batches.train
    inputs, targets = batches.source.take(batches.order(0)[:SAMPLES])
    constant = _constant(run, targets)
    step = make_step(run)
    accuracy, level, taken, error = None, 1.0, 0, ""
    is_learned, end = False, time.perf_counter() + SECONDS
    while not is_learned and taken < STEPS and time.perf_counter() < end:
        try:
            with without_dropout(run.network, run.plan):
                step([(inputs, targets)])
        except FaultError as fault:
            if fault.exit_code is not ExitCode.DIVERGED:
                raise
            error = fault.faults[0].message.partition(";")[0]
            break
        taken += 1
        loss, shares = run.tally.read()
        run.tally.clear()
        accuracy = min(shares) if shares else None
        level = loss / constant if constant > 0 else 0.0
        is_learned = level < LEARNED if accuracy is None else accuracy == 1
    is_cut_short = not is_learned and not error and taken < STEPS
    return Trial(len(targets), taken, is_learned, accuracy, level, is_cut_short, error)


def _without_regularization(setup: Setup) -> Setup:
    experiment = setup.experiment
    updates = {
        "regularization": Regularization(),
        "loss": _plain(experiment.loss),
        "optimizer": _undecayed(experiment),
    }
    plain = experiment.model_copy(update=updates)
    loaded = replace(setup.loaded, experiment=plain)
    return replace(setup, experiment=plain, loaded=loaded).with_compile(False)


def _plain(loss: Loss) -> Loss:
    is_smoothed = "label_smoothing" in type(loss).model_fields
    return loss.model_copy(update={"label_smoothing": 0.0}) if is_smoothed else loss


def _undecayed(experiment: Experiment) -> object:
    optimizer = experiment.optimizer
    has_decay = "weight_decay" in type(optimizer).model_fields
    return optimizer.model_copy(update={"weight_decay": 0.0}) if has_decay else optimizer


def _constant(run: Run, targets: Tensor) -> float:
    own = targets.cpu()
    return sum(task.weight * constant_loss(task, task.own_targets(own)) for task in run.tasks)
