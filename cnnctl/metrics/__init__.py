"""The table of metrics, which all evaluation uses."""

from cnnctl.metrics.agreement import Agreement
from cnnctl.metrics.metric import (
    METRICS,
    Metric,
    Number,
    Predictions,
    Scored,
    Valued,
    confusion_matrix,
)
from cnnctl.metrics.watched import (
    Accuracy,
    AveragePrecision,
    Counted,
    MeanLoss,
    Monitor,
    Watched,
    watched,
)

from cnnctl.metrics import classes, labels, scores, values  # isort: skip  (they declare theirs)

__all__ = [
    "METRICS",
    "Accuracy",
    "Agreement",
    "AveragePrecision",
    "Counted",
    "MeanLoss",
    "Metric",
    "Monitor",
    "Number",
    "Predictions",
    "Scored",
    "Valued",
    "Watched",
    "confusion_matrix",
    "watched",
]

del classes, labels, scores, values
