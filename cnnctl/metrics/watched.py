"""The metrics that training can monitor: the loss, and those of classes and labels."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

from cnnctl.metrics.metric import METRICS, Number, Predictions, tallies
from cnnctl.metrics.ranking import average_precisions
from cnnctl.metrics.wording import show_loss

if TYPE_CHECKING:
    from torch import Tensor

Monitor = Literal[
    "auto",
    "loss",
    "accuracy",
    "balanced_accuracy",
    "kappa",
    "macro_f1",
    "micro_f1",
    "average_precision",
    "hamming_loss",
]
"""What can be watched; the kinds below."""


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
        """Compute from a confusion matrix; see `Predictions.confusion`."""


class Accuracy(Watched, kind="accuracy"):
    """The share of samples whose class, or whose labels all, are predicted."""

    label = "accuracy"
    measures = ("class", "labels")
    is_always_followed = True

    def of(self, predictions: Predictions) -> float:
        is_right = predictions.predicted == predictions.targets
        right = is_right.all(dim=1) if is_right.ndim == 2 else is_right
        return int(right.sum()) / len(right)


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
    """The mean F1 of the classes or labels that occur or are predicted; 0 if none does."""

    label = "macro F1"
    measures = ("class", "labels")

    def compute(self, confusion: Tensor) -> float:
        right, there, predicted = tallies(confusion)
        sizes = there + predicted
        is_seen = sizes > 0
        return float((2 * right[is_seen].double() / sizes[is_seen]).mean().nan_to_num(nan=0.0))


class MicroF1(Counted, kind="micro_f1"):
    """The F1 of all labels counted together; 0 if none is there or predicted."""

    label = "micro F1"
    measures = ("labels",)

    def compute(self, confusion: Tensor) -> float:
        right, there, predicted = (int(count.sum()) for count in tallies(confusion))
        return 2 * right / (there + predicted) if there + predicted else 0.0


class AveragePrecision(Watched, kind="average_precision"):
    """The mean average precision: of every label that is there, whatever its threshold.

    0 where no sample has a label.
    """

    label = "mAP"
    measures = ("labels",)

    def of(self, predictions: Predictions) -> float:
        assert predictions.probabilities is not None  # labels have them
        each = average_precisions(predictions.probabilities, predictions.targets)
        return float(each.nanmean().nan_to_num(nan=0.0))


class HammingLoss(Counted, kind="hamming_loss"):
    """The share of wrong answers among those for every label of every sample."""

    label = "Hamming loss"
    measures = ("labels",)
    more_is_better = False

    def compute(self, confusion: Tensor) -> float:
        wrong = confusion[:, 0, 1] + confusion[:, 1, 0]
        return int(wrong.sum()) / int(confusion.sum())
