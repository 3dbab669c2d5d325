"""Checks across sections: data against model, model against loss, …"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from cnnctl.config.wording import show
from cnnctl.data.augmentation import Mixing
from cnnctl.data.samples import DatasetInfo
from cnnctl.errors import Fault, FaultError, config_fault, gathered, nearest
from cnnctl.experiment.growing import planned, unfit_growth, unfit_sizes
from cnnctl.experiment.loaded import Loaded
from cnnctl.experiment.monitoring import one_name_for_two, unwatched
from cnnctl.experiment.spec import Experiment
from cnnctl.experiment.tasks import Task, tasks_of
from cnnctl.model import network
from cnnctl.model.freezing import check_freeze
from cnnctl.model.graph import graph_of
from cnnctl.model.network import NetworkPlan, needing_company
from cnnctl.model.recomputation import check_recomputation
from cnnctl.model.weights import DEFAULT, default_network
from cnnctl.optim.groups import check_groups
from cnnctl.optim.losses import Loss
from cnnctl.optim.losses.classes import CrossEntropy


def check(
    experiment: Experiment, *, known: Loaded | None = None
) -> tuple[NetworkPlan, DatasetInfo]:
    """Check across sections: data against model, model against loss, …

    `known` was checked before; if its network is the same, it is not planned again.

    Raises:
        FaultError: all faults; paths are those of the experiment.
    """
    faults: list[Fault] = []
    plan: NetworkPlan | None = None
    with gathered(faults, "data"):
        description = experiment.data.describe()
    if faults:
        raise FaultError(*faults)
    faults += _unknown_targets(experiment, description)
    if faults:
        raise FaultError(*faults)
    with gathered(faults):
        plan = _planned(experiment, description, known)
    for rule in RULES:
        faults += rule(experiment, description)
    if plan is not None:
        faults += _unfit_names(experiment, plan)
        faults += _unfit_losses(experiment, description, plan)
        faults += _batches_of_one(experiment, description, plan)
        faults += unfit_sizes(experiment, description, plan)
    if faults or plan is None:
        raise FaultError(*faults)
    return plan, description


def _planned(experiment: Experiment, description: DatasetInfo, known: Loaded | None) -> NetworkPlan:
    if known is not None and known.has_network_of(experiment, description):
        return known.plan
    return planned(experiment, description)


def _unknown_targets(experiment: Experiment, description: DatasetInfo) -> list[Fault]:
    """Heads whose names are not targets of the data."""
    known = [target.name for target in description.targets]
    kind = experiment.data.kind
    return [
        Fault(
            message=f"{kind} has no target named {show(name)}",
            hint=nearest(name, known),
            path=("model", "heads", name),
            at_key=True,
        )
        for name in experiment.model.heads
        if name not in known
    ]


def require_weights(plan: NetworkPlan) -> None:
    """Refuse to train a network without weights, which can only be looked at.

    Raises:
        FaultError: it has none.
    """
    if not any(True for _ in network.meta_network(plan).parameters()):
        message, hint = (
            "no layer has weights, so there is nothing to train",
            "add - linear: classes",
        )
        raise config_fault(message, hint=hint, path=("model", "layers"))


def _unfit_names(experiment: Experiment, plan: NetworkPlan) -> list[Fault]:
    """Names of layers that do not exist, and weights that are not available."""
    model, meta_network = experiment.model, network.meta_network(plan)
    faults = check_freeze(model.freeze, meta_network, unfreeze_at=model.unfreeze_at)
    faults += check_groups(experiment.optimizer.groups, meta_network)
    faults += _unfit_recomputation(experiment, meta_network)
    if model.weights == DEFAULT:
        with gathered(faults):
            default_network(plan)
    return faults


def _unfit_recomputation(experiment: Experiment, meta_network: nn.Module) -> list[Fault]:
    """Patterns of segments that match nothing, and segments in a compiled network."""
    train, path = experiment.train, ("train", "activation_checkpointing")
    if train.activation_checkpointing and train.compile not in ("auto", False):
        message = "cannot be combined with train.compile, which chooses itself what to recompute"
        return [Fault(message=message, hint="leave out one of them", path=path)]
    faults = check_recomputation(train.activation_checkpointing, meta_network)
    return [replace(fault, path=(*path, *fault.path)) for fault in faults]


def _unfit_losses(
    experiment: Experiment, description: DatasetInfo, plan: NetworkPlan
) -> list[Fault]:
    """Mismatches between outputs, targets and losses."""
    faults: list[Fault] = []
    with gathered(faults):
        for task in tasks_of(experiment, plan, description):
            unfit = _unfit_target(task, classes_hint=experiment.data.classes_hint)
            faults += unfit or _unfit_output(task) or _unfit_loss(task)
    return faults


def _unfit_target(task: Task, *, classes_hint: str) -> list[Fault]:
    """A kind of target that the loss does not support."""
    faults: list[Fault] = []
    with gathered(faults, *task.path):
        task.loss.check_target(task.target)
    if task.target.kind == "values" and classes_hint:
        return [replace(fault, hint=f"{fault.hint}, {classes_hint}") for fault in faults]
    return faults


def _unfit_output(task: Task) -> list[Fault]:
    """A number of outputs that does not fit the target, at the layer that sets it."""
    faults: list[Fault] = []
    setting = graph_of(task.layers, task.layers[0].input).deciding() or task.layers[-1]
    with gathered(faults, *setting.path):
        task.loss.check_output(task.output, task.target)
    return faults


def _unfit_loss(task: Task) -> list[Fault]:
    faults: list[Fault] = []
    with gathered(faults, *task.path):
        task.loss.check(task.target, output=task.output)
    return faults


def _batches_of_one(
    experiment: Experiment, description: DatasetInfo, plan: NetworkPlan
) -> list[Fault]:
    size, samples = experiment.data.batch_size, description.train_samples
    if size == 1:
        return [replace(f, hint="use data.batch_size >= 2") for f in needing_company(plan)]
    if size != "all" and samples % size == 1 and not experiment.data.drop_last:
        hint = f"the last batch has 1 of {samples} samples; set data.drop_last=true"
        return [replace(f, hint=hint) for f in needing_company(plan)]
    return []


def _unfit_augmentations(experiment: Experiment, description: DatasetInfo) -> list[Fault]:
    faults: list[Fault] = []
    for index, augmentation in enumerate(experiment.data.augment):
        with gathered(faults, "data", "augment", index, augmentation.kind):
            augmentation.check(description.shape)
            if isinstance(augmentation, Mixing) and experiment.model.heads:
                message = f"{augmentation.kind} does not support several heads"
                raise config_fault(message, hint="leave it out")
            if isinstance(augmentation, Mixing) and not experiment.loss.takes_soft_targets:
                loss = experiment.loss.kind
                message = f"{augmentation.kind} mixes targets, which {loss} does not support"
                raise config_fault(message, hint="use cross_entropy, or leave it out")
            if isinstance(augmentation, Mixing) and description.targets[0].kind == "values":
                message = f"{augmentation.kind} mixes classes, but {experiment.data.kind} has none"
                raise config_fault(message, hint="leave it out")
    return faults


def _unfit_sampler(experiment: Experiment, description: DatasetInfo) -> list[Fault]:
    data = experiment.data
    if data.sampler != "balanced" or description.targets[0].kind == "class":
        return []
    message = f"{data.sampler} sampling needs one class per sample, which {data.kind} does not have"
    return [Fault(message=message, hint="use shuffle", path=("data", "sampler"))]


def _unfit_batch(experiment: Experiment, description: DatasetInfo) -> list[Fault]:
    size, samples = experiment.data.batch_size, description.train_samples
    if size == "all" or size <= samples:
        return []
    message = f"{size} exceeds the {samples} training samples"
    hint = f"use a batch_size <= {samples}, or all"
    return [Fault(message=message, hint=hint, path=("data", "batch_size"))]


def _unfit_schedule(experiment: Experiment, _: DatasetInfo) -> list[Fault]:
    faults: list[Fault] = []
    with gathered(faults, "scheduler"):
        optimizer, epochs = experiment.optimizer, experiment.train.epochs
        shared = [group for group in optimizer.groups if group.scheduler is None]
        groups = [group.lr for group in shared if group.lr is not None]
        groups += [group.optimizer.lr for group in shared if group.optimizer is not None]
        groups += [each.lr for each in optimizer.parts()[1:]]
        experiment.scheduler.check(epochs=epochs, lr=optimizer.lr, groups=groups)
    for index, group in enumerate(experiment.optimizer.groups):
        if group.scheduler is not None:
            with gathered(faults, "optimizer", "groups", index, "scheduler"):
                lr = group.lr or (group.optimizer or optimizer).lr
                group.scheduler.check(epochs=epochs, lr=lr)
    return faults


def _given_twice(experiment: Experiment, _: DatasetInfo) -> list[Fault]:
    faults: list[Fault] = []
    losses = _losses(experiment)
    smooth = next((loss for loss in losses if isinstance(loss, CrossEntropy)), losses[0])
    with gathered(faults, "regularization"):
        experiment.regularization.check(optimizer=experiment.optimizer, loss=smooth)
    return faults


def _losses(experiment: Experiment) -> list[Loss]:
    heads = experiment.model.heads.values()
    return [head.loss or experiment.loss for head in heads] or [experiment.loss]


def _unlike_sums(experiment: Experiment, _: DatasetInfo) -> list[Fault]:
    """Losses of heads of which some are means and others sums."""
    if len({loss.reduction for loss in _losses(experiment)}) == 1:
        return []
    message = "some heads use the mean of their losses and some the sum"
    hint = "use the same reduction for all heads, and weights to balance them"
    return [Fault(message=message, hint=hint, path=("model", "heads"))]


def _unfit_memory_format(experiment: Experiment, _: DatasetInfo) -> list[Fault]:
    optimizer, asked = experiment.optimizer, experiment.train.memory_format
    if asked != "channels_last" or optimizer.takes_channels_last:
        return []
    message = f"{optimizer.kind} does not support {asked}"
    hint = "use contiguous_format, auto, or another optimizer"
    return [Fault(message=message, hint=hint, path=("train", "memory_format"))]


RULES: tuple[Callable[[Experiment, DatasetInfo], list[Fault]], ...] = (
    _unfit_augmentations,
    _unfit_sampler,
    _unfit_batch,
    unwatched,
    one_name_for_two,
    _unfit_schedule,
    _given_twice,
    _unlike_sums,
    _unfit_memory_format,
    unfit_growth,
)
"""Checks across sections; a new one is a function and its entry here."""
