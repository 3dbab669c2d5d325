"""Options of an experiment that a training script lacks."""

from __future__ import annotations

from collections.abc import Iterator

from cnnctl.errors import Fault, FaultError
from cnnctl.experiment import Experiment
from cnnctl.model.network import NetworkPlan
from cnnctl.optim.optimizers import Optimizer
from cnnctl.optim.optimizers.orthogonal import Muon
from cnnctl.optim.optimizers.quasi_newton import LBFGS

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
    yield from _missing_optimizers(experiment.optimizer)
    if experiment.regularization.lookahead is not None:
        message = "a training script does not have lookahead"
        yield Fault(message=message, hint=HINT, path=("regularization", "lookahead"))
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


def _missing_optimizers(optimizer: Optimizer) -> Iterator[Fault]:
    if isinstance(optimizer, Muon):
        message = f"a training script does not have {optimizer.kind}"
        yield Fault(message=message, hint="use one of torch's, or leave out --training", path=PATH)
    for index, group in enumerate(optimizer.groups):
        for option in ("optimizer", "scheduler"):
            if getattr(group, option) is not None:
                message = f"a training script has one {option} for all weights"
                yield Fault(message=message, hint=HINT, path=(*PATH, "groups", index, option))
