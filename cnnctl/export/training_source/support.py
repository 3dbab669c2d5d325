"""Options of an experiment that a training script lacks."""

from __future__ import annotations

from collections.abc import Iterator

from cnnctl.errors import Fault, FaultError
from cnnctl.experiment import Experiment
from cnnctl.export.training_source.optimizers import has_several
from cnnctl.model.network import NetworkPlan
from cnnctl.optim.optimizers.quasi_newton import LBFGS
from cnnctl.optim.schedulers.scheduler import Cycle

PATH = ("optimizer",)
HINT = "leave it out, or leave out --training"


def check_support(experiment: Experiment, plan: NetworkPlan) -> None:
    """Check that every option that changes the training can be written.

    Raises:
        FaultError: some cannot.
    """
    faults = [*_missing(experiment), *_missing_parts(experiment, plan)]
    if faults:
        raise FaultError(*faults)


def _missing(experiment: Experiment) -> Iterator[Fault]:
    model = experiment.model
    if experiment.distill is not None:
        message = "a training script cannot ask a teacher"
        yield Fault(message=message, hint=HINT, path=("distill",))
    if model.weights is not None:
        message = "a training script starts from random weights, not from published ones"
        yield Fault(message=message, hint="use model.weights=none", path=("model", "weights"))
    if model.unfreeze_at is not None:
        message = "a training script does not unfreeze layers"
        yield Fault(message=message, hint=HINT, path=("model", "unfreeze_at"))
    yield from _missing_optimizers(experiment)
    lookahead = experiment.regularization.lookahead
    if lookahead is not None and lookahead.ramp:
        message = "a training script has a constant alpha"
        yield Fault(message=message, hint=HINT, path=("regularization", "lookahead", "ramp"))
    if isinstance(experiment.optimizer, LBFGS) and experiment.train.accumulate > 1:
        message = "a training script does not accumulate batches for lbfgs"
        yield Fault(message=message, hint="use data.batch_size=all", path=("train", "accumulate"))
    if experiment.train.max_minutes is not None or experiment.train.plan:
        message = "a training script takes all epochs, whatever time they need"
        path = "planned_steps" if experiment.train.plan else "max_minutes"
        yield Fault(message=message, hint=HINT, path=("train", path))
    if experiment.train.progressive_resizing is not None:
        message = "a training script does not resize images"
        yield Fault(message=message, hint=HINT, path=("train", "progressive_resizing"))
    if experiment.scheduler.watches == "accuracy" and not experiment.data.has_validation:
        message = "a training script has no accuracy of the training split"
        yield Fault(message=message, hint="use loss", path=("scheduler", "monitor"))


def _missing_parts(experiment: Experiment, plan: NetworkPlan) -> Iterator[Fault]:
    size = experiment.train.micro_batch_size
    if isinstance(size, int) and any(leaf.layer.mixes_samples for leaf in plan.leaves()):
        message = "a training script computes whole batches, which batch norms depend on"
        yield Fault(message=message, hint=HINT, path=("train", "micro_batch_size"))


def _missing_optimizers(experiment: Experiment) -> Iterator[Fault]:
    optimizer, scheduler = experiment.optimizer, experiment.scheduler
    for index, group in enumerate(optimizer.groups):
        if group.scheduler is not None:
            message = "a training script has one scheduler for all weights"
            yield Fault(message=message, hint=HINT, path=(*PATH, "groups", index, "scheduler"))
    if has_several(optimizer) and isinstance(scheduler, Cycle) and scheduler.cycle_momentum:
        message = "torch cannot cycle the momentum of several optimizers"
        hint = "set scheduler.cycle_momentum=false"
        yield Fault(message=message, hint=hint, path=("scheduler", "cycle_momentum"))
