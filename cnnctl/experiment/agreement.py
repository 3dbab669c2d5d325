"""What no section can see alone: data against model, model against loss, …"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from cnnctl.data.augmentation import Mixing
from cnnctl.data.samples import Description
from cnnctl.errors import Fault, FaultError, config_fault, under
from cnnctl.experiment.spec import Experiment
from cnnctl.model import network
from cnnctl.model.freezing import check_freeze
from cnnctl.model.network import Plan, needing_company
from cnnctl.model.weights import DEFAULT, default_network
from cnnctl.optim.groups import check_groups


def check(experiment: Experiment) -> tuple[Plan, Description]:
    """Check what no section can see alone: data against model, model against loss, …

    Raises:
        FaultError: all the faults found; paths are those of the experiment.
    """
    faults: list[Fault] = []
    plan: Plan | None = None
    with gathered(faults, "data"):
        description = experiment.data.describe()
    if faults:
        raise FaultError(*faults)
    with gathered(faults):
        plan = network.plan(experiment.model, input=description.shape, classes=description.outputs)
    for rule in RULES:
        faults += rule(experiment, description)
    if plan is not None:
        faults += _nothing_to_learn(plan)
        faults += _unfit_names(experiment, plan)
        faults += _unfit_loss(experiment, description, plan)
        faults += _batches_of_one(experiment, description, plan)
    if faults or plan is None:
        raise FaultError(*faults)
    return plan, description


@contextmanager
def gathered(faults: list[Fault], *prefix: str | int) -> Iterator[None]:
    """Add the faults raised inside to a list, their paths put below `prefix`."""
    try:
        yield
    except FaultError as error:
        faults += under(prefix, error).faults


def _nothing_to_learn(plan: Plan) -> list[Fault]:
    if any(True for _ in network.outline(plan).parameters()):
        return []
    message, cure = "no layer has weights, so there is nothing to learn", "add - linear: classes"
    return [Fault(message=message, cure=cure, path=("model", "layers"))]


def _unfit_names(experiment: Experiment, plan: Plan) -> list[Fault]:
    """Names of layers that are not there, and weights that nobody has."""
    model, outline = experiment.model, network.outline(plan)
    faults = check_freeze(model.freeze, outline, unfreeze_at=model.unfreeze_at)
    faults += check_groups(experiment.optimizer.groups, outline)
    if model.weights == DEFAULT:
        with gathered(faults):
            default_network(plan)
    return faults


def _unfit_loss(experiment: Experiment, description: Description, plan: Plan) -> list[Fault]:
    faults: list[Fault] = []
    with gathered(faults, "loss"):
        experiment.loss.check(
            output=plan.output,
            classes=description.outputs,
            is_classification=description.is_classification,
        )
    return faults


def _batches_of_one(experiment: Experiment, description: Description, plan: Plan) -> list[Fault]:
    size, samples = experiment.data.batch_size, description.train_samples
    if size == 1:
        return [replace(f, cure="use data.batch_size >= 2") for f in needing_company(plan)]
    if size != "all" and samples % size == 1 and not experiment.data.drop_last:
        cure = f"the last of {samples} samples is alone; set data.drop_last=true"
        return [replace(f, cure=cure) for f in needing_company(plan)]
    return []


def _unfit_augmentations(experiment: Experiment, description: Description) -> list[Fault]:
    faults: list[Fault] = []
    for index, augmentation in enumerate(experiment.data.augment):
        with gathered(faults, "data", "augment", index, augmentation.kind):
            augmentation.check(description.shape)
            if isinstance(augmentation, Mixing) and not experiment.loss.takes_soft_targets:
                message = (
                    f"{augmentation.kind} mixes targets, which {experiment.loss.kind} cannot take"
                )
                raise config_fault(message, cure="use cross_entropy, or leave it out")
            if isinstance(augmentation, Mixing) and not description.is_classification:
                message = f"it mixes classes, and {experiment.data.kind} has none"
                raise config_fault(message, cure="leave it out")
    return faults


def _unfit_batch(experiment: Experiment, description: Description) -> list[Fault]:
    size, samples = experiment.data.batch_size, description.train_samples
    if size == "all" or size <= samples:
        return []
    message = f"{size} is more than the {samples} training samples"
    cure = f"use a batch_size <= {samples}, or all"
    return [Fault(message=message, cure=cure, path=("data", "batch_size"))]


def _unwatched(experiment: Experiment, description: Description) -> list[Fault]:
    faults = []
    if experiment.train.monitor == "accuracy" and not description.is_classification:
        message = f"{experiment.data.kind} has values to predict, so there is no accuracy"
        faults.append(Fault(message=message, cure="use loss", path=("train", "monitor")))
    stopping = experiment.regularization.early_stopping
    if stopping and stopping.monitor == "accuracy" and not description.is_classification:
        path = ("regularization", "early_stopping", "monitor")
        faults.append(Fault(message="there is no accuracy to watch", cure="use loss", path=path))
    if stopping and not experiment.data.validation:
        message = "early stopping watches the validation split, which is empty"
        where = ("regularization", "early_stopping")
        faults.append(Fault(message=message, cure="set data.validation=0.1", path=where))
    return faults


def _unfit_schedule(experiment: Experiment, description: Description) -> list[Fault]:
    faults: list[Fault] = []
    with gathered(faults, "scheduler"):
        experiment.scheduler.check(epochs=experiment.train.epochs, lr=experiment.optimizer.lr)
        watches_accuracy = experiment.scheduler.options().get("mode") == "max"
        if watches_accuracy and not description.is_classification:
            raise config_fault("there is no accuracy to watch", cure="use min", path=("mode",))
    return faults


def _given_twice(experiment: Experiment, _: Description) -> list[Fault]:
    faults: list[Fault] = []
    with gathered(faults, "regularization"):
        experiment.regularization.check(optimizer=experiment.optimizer, loss=experiment.loss)
    return faults


RULES: tuple[Callable[[Experiment, Description], list[Fault]], ...] = (
    _unfit_augmentations,
    _unfit_batch,
    _unwatched,
    _unfit_schedule,
    _given_twice,
)
"""What sections must agree on; a new rule is a function and its entry here."""
