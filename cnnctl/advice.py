"""Advice on valid but unwise settings of an experiment; `cnnctl check` prints it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil

from cnnctl.errors import ConfigPath, Fault
from cnnctl.experiment import Experiment, Task, tasks_of
from cnnctl.model.graph import fewest_between_norms, following_activation
from cnnctl.model.initializers import RECTIFIERS
from cnnctl.model.layer import WeightedLayer
from cnnctl.model.network import NetworkPlan, PlannedLayer

Advice = Iterator[Fault]
Rule = Callable[[Experiment, NetworkPlan], Advice]

SQUASHED = ("probabilities", "log_probabilities", "log_sigmoids")
"""The activation that a loss on logits applies itself."""

FEW_STEPS = 4
"""Steps per epoch below which a smaller batch would be better."""
SMALL_BATCH = 8
"""Samples below which batch statistics are too noisy (Wu and He 2018)."""
DEEP_SIGMOIDS = 4
"""Consecutive sigmoids; each passes at most a quarter of the gradient."""


def advise(experiment: Experiment, plan: NetworkPlan) -> list[Fault]:
    """All advice on an experiment, with paths in the experiment."""
    return [advice for rule in RULES for advice in rule(experiment, plan)]


def _ends(experiment: Experiment, plan: NetworkPlan) -> Iterator[tuple[Task, PlannedLayer]]:
    """Every task, with the last of its layers that computes something."""
    for task in tasks_of(experiment, plan, experiment.data.describe()):
        leaves = [leaf for planned in task.layers for leaf in planned.leaves()]
        layers = [planned for planned in leaves if not planned.layer.is_view]
        yield task, (layers or leaves)[-1]


def _activation_done_by_the_loss(experiment: Experiment, plan: NetworkPlan) -> Advice:
    """Softmax before cross-entropy."""
    for task, last in _ends(experiment, plan):
        if task.loss.outputs == "logits" and last.layer.gives in SQUASHED:
            own = "sigmoid" if task.loss.kind == "bce_with_logits" else "softmax"
            message = f"{task.loss.kind} expects logits: it applies {own} itself"
            yield Fault(message=message, hint=f"leave {last.layer.kind} out", path=last.path)


def _no_log_softmax_before_nll(experiment: Experiment, plan: NetworkPlan) -> Advice:
    for task, last in _ends(experiment, plan):
        if task.loss.outputs == "log_probabilities" and last.layer.gives != "log_probabilities":
            message = (
                f"{task.loss.kind} expects log-probabilities, which {last.name} does not output"
            )
            in_place = last.layer.gives in SQUASHED
            hint = "write log_softmax instead" if in_place else "add log_softmax"
            yield Fault(message=message, hint=f"{hint}, or use cross_entropy", path=last.path)


def _no_sigmoid_before_bce(experiment: Experiment, plan: NetworkPlan) -> Advice:
    for task, last in _ends(experiment, plan):
        if task.loss.outputs == "probabilities" and last.layer.gives != "probabilities":
            message = f"{task.loss.kind} expects probabilities, which {last.name} does not output"
            yield Fault(message=message, hint="add sigmoid, or use bce_with_logits", path=last.path)


def _labels_that_exclude_each_other(experiment: Experiment, plan: NetworkPlan) -> Advice:
    """Softmax where a sample can have several labels."""
    for task, last in _ends(experiment, plan):
        is_shared_out = last.layer.gives == "probabilities" and last.layer.acts_as != "sigmoid"
        if task.target.kind == "labels" and task.loss.outputs == "probabilities" and is_shared_out:
            message = f"{last.layer.kind} makes the probabilities of all labels add up to 1"
            yield Fault(message=message, hint="use sigmoid instead", path=last.path)


def _rectified_output(experiment: Experiment, plan: NetworkPlan) -> Advice:
    for _, last in _ends(experiment, plan):
        is_rectified = last.layer.acts_as in (*RECTIFIERS, "selu")
        if is_rectified and last.layer.gives == "values":
            message = f"{last.layer.kind} at the output blocks negative values and their gradients"
            yield Fault(message=message, hint="leave it out", path=last.path)


def _bounded_output(experiment: Experiment, plan: NetworkPlan) -> Advice:
    # values that are not normalised may well be within these bounds
    is_spread = getattr(experiment.data, "normalize_targets", None) is not None
    for task, last in _ends(experiment, plan):
        is_value = task.target.kind == "values"
        is_free = is_spread if is_value else task.loss.outputs == "logits"
        is_bound = last.layer.gives == "bounded"
        if is_free and (is_bound or (last.layer.gives == "probabilities" and is_value)):
            message = f"{last.layer.kind} at the output cannot predict values beyond its bounds"
            yield Fault(message=message, hint="leave it out", path=last.path)


def _dropout_at_output(experiment: Experiment, plan: NetworkPlan) -> Advice:
    for _, last in _ends(experiment, plan):
        if last.layer.is_dropout:
            message = "dropout at the output drops predictions, not features"
            yield Fault(message=message, hint="put it before the last linear layer", path=last.path)


def _unfit_weights(experiment: Experiment, plan: NetworkPlan) -> Advice:
    """Kaiming before sigmoid, Xavier before relu; the model's own init is reported once."""
    found: dict[ConfigPath, Fault] = {}
    for planned, behind in plan.graph.with_followers():
        if isinstance(planned.layer, WeightedLayer):
            init = planned.layer.init or plan.init
            path: ConfigPath = (*planned.path, "init") if planned.layer.init else ("model", "init")
            activation = following_activation(behind)
            if better := init.better_before(activation):
                message = f"{init.kind} does not suit the {activation} after {planned.name}"
                hint = f"use {better}, or remove init"
                found.setdefault(path, Fault(message=message, hint=hint, path=path))
    yield from found.values()


def _bias_before_norm(experiment: Experiment, plan: NetworkPlan) -> Advice:
    for planned, after in plan.graph.neighbours():
        has_bias = isinstance(planned.layer, WeightedLayer) and planned.layer.bias
        if has_bias and after.layer.centers_channels:
            message = f"{after.name} subtracts the mean, which cancels the bias of {planned.name}"
            yield Fault(message=message, hint="add bias: false", path=(*planned.path, "bias"))


def _dropout_before_norm(experiment: Experiment, plan: NetworkPlan) -> Advice:
    """Li et al. 2018, https://arxiv.org/abs/1801.05134."""
    for planned, after in plan.graph.neighbours():
        if planned.layer.is_dropout and after.layer.mixes_samples:
            message = (
                f"{after.name} measures the variance that {planned.name} adds in training only"
            )
            yield Fault(message=message, hint="put dropout after the norm", path=planned.path)


def _no_activation_between(experiment: Experiment, plan: NetworkPlan) -> Advice:
    nearest: dict[str, PlannedLayer] = {}  # before each layer, past linear ones without weights
    for planned, after in plan.graph.neighbours():
        is_passed = planned.layer.is_linear and not isinstance(planned.layer, WeightedLayer)
        before = nearest.get(planned.name, planned) if is_passed else planned
        nearest[after.name] = before
        if _is_dense(before) and _is_dense(after):
            message = f"no activation between {before.name} and {after.name}: "
            message += "together they are one linear layer"
            yield Fault(message=message, hint="add relu between them", path=after.path)


def _is_dense(planned: PlannedLayer) -> bool:
    return isinstance(planned.layer, WeightedLayer) and planned.layer.is_dense


def _activation_twice(experiment: Experiment, plan: NetworkPlan) -> Advice:
    for planned, after in plan.graph.neighbours():
        if planned.layer.acts_as and after.layer.acts_as:
            message = f"two activations in a row: {planned.name} and {after.name}"
            yield Fault(message=message, hint="leave one of them out", path=after.path)


def _vanishing_gradients(experiment: Experiment, plan: NetworkPlan) -> Advice:
    count = fewest_between_norms(plan.graph, "sigmoid")
    if count >= DEEP_SIGMOIDS:
        first = next(planned for planned in plan.leaves() if planned.layer.acts_as == "sigmoid")
        message = f"gradients vanish through {count} sigmoids"
        yield Fault(message=message, hint="use relu, or add batch_norm", path=first.path)


def _unusual_rate(experiment: Experiment, plan: NetworkPlan) -> Advice:
    optimizer = experiment.optimizer
    low, high = optimizer.usual_lr
    if not low <= optimizer.lr <= high:
        message = f"{optimizer.lr:g} is outside the usual range of {optimizer.kind}"
        hint = f"try a rate from {low:g} to {high:g}"
        yield Fault(message=message, hint=hint, path=("optimizer", "lr"))


def _rescaled_l2(experiment: Experiment, plan: NetworkPlan) -> Advice:
    """Loshchilov and Hutter 2017, https://arxiv.org/abs/1711.05101."""
    optimizer, l2 = experiment.optimizer, experiment.regularization.l2
    if l2 and optimizer.rescales_l2:
        message = f"{optimizer.kind} weakens l2 where gradients are large"
        better = optimizer.kind if optimizer.decouples_decay else "adamw"
        hint = f"use {better} with its weight_decay"
        yield Fault(message=message, hint=hint, path=("regularization", "l2"))


def _batches_of_a_full_batch_method(experiment: Experiment, plan: NetworkPlan) -> Advice:
    size, samples = experiment.data.batch_size, experiment.data.describe().train_samples
    optimizer = experiment.optimizer
    if optimizer.needs_full_batch and size != "all" and size < samples:
        message = f"{optimizer.kind} compares gradients across steps, so all need the same batch"
        yield Fault(message=message, hint="use batch_size: all", path=("data", "batch_size"))


def _few_steps(experiment: Experiment, plan: NetworkPlan) -> Advice:
    size, samples = experiment.data.batch_size, experiment.data.describe().train_samples
    if size != "all" and ceil(samples / size) < FEW_STEPS:
        message = f"{samples} samples make only {ceil(samples / size)} batches of {size}"
        hint = f"use a batch_size <= {max(1, samples // FEW_STEPS)}, or all"
        yield Fault(message=message, hint=hint, path=("data", "batch_size"))


def _noisy_statistics(experiment: Experiment, plan: NetworkPlan) -> Advice:
    size = experiment.data.batch_size
    norms = (leaf.layer.kind for leaf in plan.leaves() if leaf.layer.mixes_samples)
    norm = next(norms, None)
    if norm and size != "all" and size < SMALL_BATCH:
        message = f"{norm} has noisy statistics with {size} samples a batch"
        hint = f"use a batch_size >= {SMALL_BATCH}, or group_norm"
        yield Fault(message=message, hint=hint, path=("data", "batch_size"))


def _endless_patience(experiment: Experiment, plan: NetworkPlan) -> Advice:
    stopping, epochs = experiment.regularization.early_stopping, experiment.train.epochs
    if stopping and stopping.patience >= epochs:
        message = f"a patience of {stopping.patience} cannot stop a run of {epochs} epochs"
        path = ("regularization", "early_stopping")
        yield Fault(message=message, hint="use a smaller patience, or more epochs", path=path)


def _balanced_twice(experiment: Experiment, plan: NetworkPlan) -> Advice:
    description = experiment.data.describe()
    tasks = tasks_of(experiment, plan, description)
    is_weighted = any(t.loss.is_weighted for t in tasks if t.target == description.targets[0])
    if experiment.data.sampler == "balanced" and is_weighted:
        message = "balanced sampling and class weights both compensate for rare classes"
        yield Fault(message=message, hint="use one of them", path=("data", "sampler"))


def _flipped_characters(experiment: Experiment, plan: NetworkPlan) -> Advice:
    data = experiment.data
    for index, augmentation in enumerate(data.augment):
        if data.shows_characters and augmentation.mirrors:
            message = "flipping turns digits and letters into different or meaningless characters"
            path = ("data", "augment", index, augmentation.kind)
            yield Fault(message=message, hint="use crop or a small rotation", path=path)


RULES: tuple[Rule, ...] = (
    _activation_done_by_the_loss,
    _no_log_softmax_before_nll,
    _no_sigmoid_before_bce,
    _labels_that_exclude_each_other,
    _rectified_output,
    _bounded_output,
    _dropout_at_output,
    _unfit_weights,
    _bias_before_norm,
    _dropout_before_norm,
    _no_activation_between,
    _activation_twice,
    _vanishing_gradients,
    _unusual_rate,
    _rescaled_l2,
    _batches_of_a_full_batch_method,
    _few_steps,
    _noisy_statistics,
    _endless_patience,
    _balanced_twice,
    _flipped_characters,
)
"""A new rule is a function and its entry here."""
