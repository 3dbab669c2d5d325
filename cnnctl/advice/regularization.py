"""Advice on what is done against overfitting."""

from __future__ import annotations

from math import log

from cnnctl.advice.check import Advice, Check
from cnnctl.advice.facts import Facts
from cnnctl.errors import ConfigPath, Fault
from cnnctl.experiment import Task

DROWNING = 2.0
"""Times the loss of a constant answer."""
MEAN_SIZE = 0.82
"""The mean size of weights against their root mean square: 0.80 of a normal, 0.87 of a uniform
distribution."""
MANY_WEIGHTS, MANY_EPOCHS = 1_000_000, 100
AGAINST_OVERFITTING = ("l1", "l2", "weight_decay", "label_smoothing", "early_stopping", "ema")


class EndlessPatience(Check):
    """Early stopping that cannot stop the run."""

    def find(self, facts: Facts) -> Advice:
        experiment = facts.experiment
        stopping, epochs = experiment.regularization.early_stopping, experiment.train.epochs
        if stopping and stopping.patience >= epochs:
            message = f"a patience of {stopping.patience} cannot stop a run of {epochs} epochs"
            path = ("regularization", "early_stopping")
            yield Fault(message=message, hint="use a smaller patience, or more epochs", path=path)


class DrowningPenalty(Check):
    """Penalties that start larger than the loss, so that training shrinks weights first.

    Layers with a norm behind do not count: their scale is free. MNIST, MLP 100-100, an epoch: l2 of
    0.01, 0.03 and 0.1 (0.9, 2.7 and 9 times ln(10) at the start) reach 94.5, 91.9 and 86.5 %, l1 of
    0.0003, 0.001 and 0.01 (0.6, 1.9 and 19 times) 95.2, 92.5 and 82.0, and none 95.9.
    """

    def find(self, facts: Facts) -> Advice:
        loss = sum(task.weight * _loss_at_start(task) for task in facts.tasks)
        squares, sizes = _sums(facts)
        regularization, optimizer = facts.experiment.regularization, facts.experiment.optimizer
        decay = 0.0
        if not optimizer.decouples_decay:
            decay = getattr(optimizer, "weight_decay", 0.0) or regularization.weight_decay
        own = "optimizer" if getattr(optimizer, "weight_decay", 0.0) else "regularization"
        terms: list[tuple[float, ConfigPath, float]] = [
            (regularization.l1 * sizes, ("regularization", "l1"), regularization.l1),
            (regularization.l2 / 2 * squares, ("regularization", "l2"), regularization.l2),
            (decay / 2 * squares, (own, "weight_decay"), decay),
        ]
        term, path, factor = max(terms, key=lambda each: each[0])
        if term >= DROWNING * loss:
            message = f"{path[-1]} of {factor:g} adds {_short(term)} at the start, "
            message += f"{_short(term / loss)} times the loss of {loss:.2g}: "
            message += "on MNIST, 3 times cost 4% of accuracy"
            hint = f"try {factor * 0.1 * loss / term:.1g}"
            yield Fault(message=message, hint=hint, path=path)


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _loss_at_start(task: Task) -> float:
    """The loss of a constant answer: of normalised values, their variance."""
    if task.target.kind == "values":
        return 1.0
    return log(2) if "labels" in task.loss.takes else log(task.target.outputs)


def _sums(facts: Facts) -> tuple[float, float]:
    """The expected sums of the squares and of the sizes of the weights that are penalised."""
    normed = {one.name for one, after in facts.plan.graph.neighbours() if after.layer.is_norm}
    squares = sizes = 0.0
    for name, start in facts.starts.items():
        rms = start.initializer.rms(tuple(start.tensor.shape), activation=start.activation)
        if rms is not None and name not in normed and facts.learns(start.planned):
            count = start.tensor.numel()
            squares += count * rms**2
            sizes += count * rms * MEAN_SIZE
    return squares, sizes


class NothingAgainstOverfitting(Check):
    """Millions of weights, hundreds of epochs, and nothing that keeps a network from learning its
    samples by heart (Zhang et al. 2016, https://arxiv.org/abs/1611.03530)."""

    def find(self, facts: Facts) -> Advice:
        weights, epochs = sum(facts.learned.values()), facts.experiment.train.epochs
        samples = facts.description.train_samples
        is_large = weights >= MANY_WEIGHTS and weights > samples and epochs >= MANY_EPOCHS
        if is_large and not _is_regularized(facts):
            message = f"{weights:,} weights see {samples:,} samples {epochs} times, with nothing "
            message += "against overfitting"
            hint = "add data.augment, dropout, a weight decay or regularization.early_stopping"
            yield Fault(message=message, hint=hint, path=("train", "epochs"))


def _is_regularized(facts: Facts) -> bool:
    experiment, means = facts.experiment, facts.experiment.regularization
    return bool(
        experiment.data.augment
        or getattr(experiment.optimizer, "weight_decay", 0.0)
        or any(getattr(means, name) for name in AGAINST_OVERFITTING)
        or any(getattr(task.loss, "label_smoothing", 0.0) for task in facts.tasks)
        or any(leaf.layer.dropped for leaf in facts.plan.leaves())
    )
