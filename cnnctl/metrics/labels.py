"""Metrics of several labels per sample."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from cnnctl.metrics.classes import Scores, precision_recall_f1, shares_of
from cnnctl.metrics.metric import Metric, Predictions, tallies
from cnnctl.metrics.ranking import average_precisions


@dataclass(frozen=True, slots=True)
class LabelScores(Scores):
    """The scores of one label, and the threshold that they hold for."""

    average_precision: float | None
    """None where no sample has the label."""
    threshold: float


class EachLabel(Metric, kind="labels"):
    """The scores of every label."""

    measures = ("labels",)

    def of(self, predictions: Predictions) -> list[LabelScores]:
        assert predictions.probabilities is not None  # labels have them
        confusion = predictions.confusion
        columns = [*precision_recall_f1(confusion), tallies(confusion)[1]]
        precisions = average_precisions(predictions.probabilities, predictions.targets).tolist()
        rows = zip(
            predictions.class_names,
            *(column.tolist() for column in columns),
            (None if isnan(precision) else precision for precision in precisions),
            predictions.thresholds,
            strict=True,
        )
        return [LabelScores(*row) for row in rows]


class MicroAverage(Metric, kind="micro"):
    """Every answer counts the same, whatever its label."""

    measures = ("labels",)

    def of(self, predictions: Predictions) -> Scores:
        totals = [count.sum() for count in tallies(predictions.confusion)]
        precision, recall, f1 = (share.item() for share in shares_of(*totals))
        return Scores("micro average", precision, recall, f1, support=int(totals[1]))
