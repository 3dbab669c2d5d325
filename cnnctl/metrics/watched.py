"""The metrics that training can monitor: the loss and those of the confusion matrix."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

from cnnctl.metrics.metric import METRICS, Number, Predictions
from cnnctl.metrics.wording import show_loss

if TYPE_CHECKING:
    from torch import Tensor

Monitor = Literal["auto", "loss", "accuracy", "balanced_accuracy", "kappa", "macro_f1"]
"""Metrics that can be watched; the kinds below."""


class Watched(Number):
    """A metric whose value on the validation split can select the best epoch."""


def watched(kind: str) -> Watched:
    """The watched metric of this kind."""
    metric = METRICS[kind]()
    assert isinstance(metric, Watched)
    return metric


class MeanLoss(Watched, kind="loss"):
    """The mean loss over the samples."""

    label = "loss"
    measures = ("class", "labels", "values")
    more_is_better = False
    is_always_followed = True

    def of(self, predictions: Predictions) -> float:
        return predictions.loss

    def show(self, value: float) -> str:
        return show_loss(value)


class Counted(Watched):
    """A number computed from the confusion matrix."""

    def of(self, predictions: Predictions) -> float:
        return self.compute(predictions.confusion)

    @abstractmethod
    def compute(self, confusion: Tensor) -> float:
        """Compute from the number of samples of class `row` predicted as class `column`, (C, C)."""


class Accuracy(Counted, kind="accuracy"):
    """The fraction of correct predictions."""

    label = "accuracy"
    is_always_followed = True

    def compute(self, confusion: Tensor) -> float:
        return float(confusion.diag().sum() / confusion.sum())


class BalancedAccuracy(Counted, kind="balanced_accuracy"):
    """The mean recall of the classes that occur (Brodersen et al. 2010)."""

    label = "balanced accuracy"

    def compute(self, confusion: Tensor) -> float:
        support = confusion.sum(dim=1)
        is_there = support > 0
        recalls = confusion.diag()[is_there].double() / support[is_there]
        return float(recalls.mean())


class Kappa(Counted, kind="kappa"):
    """Agreement beyond chance, as a fraction of the maximum (Cohen 1960).

    0 if only one class occurs and is predicted, since chance then agrees completely.
    """

    label = "kappa"

    def compute(self, confusion: Tensor) -> float:
        counts = confusion.double()
        samples, right = float(counts.sum()), float(counts.diag().sum())
        by_chance = float(counts.sum(dim=1) @ counts.sum(dim=0)) / samples
        return (right - by_chance) / (samples - by_chance) if by_chance < samples else 0.0

    def show(self, value: float) -> str:
        return f"{value:.4f}"


class MacroF1(Counted, kind="macro_f1"):
    """The mean F1 of the classes that occur or are predicted."""

    label = "macro F1"

    def compute(self, confusion: Tensor) -> float:
        sizes = confusion.sum(dim=0) + confusion.sum(dim=1)
        is_seen = sizes > 0
        return float((2 * confusion.diag()[is_seen].double() / sizes[is_seen]).mean())
