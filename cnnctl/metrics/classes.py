"""Scores of each class or label, from the confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnctl.metrics.metric import Metric, Predictions, tallies

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision, recall and F1, from 0 to 1, of one class or label, or averaged over all."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    """Number of samples of this class, or with this label."""


class ClassScores(Metric, kind="classes"):
    """The scores of every class."""

    def of(self, predictions: Predictions) -> list[Scores]:
        confusion, names = predictions.confusion, predictions.class_names
        columns = [*precision_recall_f1(confusion), confusion.sum(dim=1)]
        rows = zip(names, *(column.tolist() for column in columns), strict=True)
        return [Scores(*row) for row in rows]


class MacroAverage(Metric, kind="macro"):
    """All classes have equal weight, except those that neither occur nor are predicted."""

    measures = ("class", "labels")

    def of(self, predictions: Predictions) -> Scores:
        _, there, predicted = tallies(predictions.confusion)
        is_seen = there + predicted > 0
        return _average("macro average", predictions.confusion, weights=is_seen.float())


class WeightedAverage(Metric, kind="weighted"):
    """Classes are weighted by their number of samples."""

    measures = ("class", "labels")

    def of(self, predictions: Predictions) -> Scores:
        _, there, _ = tallies(predictions.confusion)
        return _average("weighted average", predictions.confusion, weights=there)


class Confusion(Metric, kind="confusion"):
    """Number of samples of class `row` that were predicted as class `column`."""

    def of(self, predictions: Predictions) -> list[list[int]]:
        counts: list[list[int]] = predictions.confusion.tolist()
        return counts


def precision_recall_f1(confusion: Tensor) -> list[Tensor]:
    """Precision, recall and F1 of every class or label, (C,) each, from counts; 0 for 0 / 0."""
    return shares_of(*tallies(confusion))


def shares_of(right: Tensor, there: Tensor, predicted: Tensor) -> list[Tensor]:
    """Precision, recall and F1 from counts, each of their shape; 0 for 0 / 0."""
    shares = (right / predicted, right / there, 2 * right / (there + predicted))
    return [share.nan_to_num(nan=0.0) for share in shares]


def _average(name: str, confusion: Tensor, *, weights: Tensor) -> Scores:
    columns = precision_recall_f1(confusion)
    # labels may all be neither there nor predicted
    shares = (weights * column / weights.sum().clamp(min=1) for column in columns)
    precision, recall, f1 = (share.sum().item() for share in shares)
    return Scores(name, precision, recall, f1, support=int(tallies(confusion)[1].sum()))
