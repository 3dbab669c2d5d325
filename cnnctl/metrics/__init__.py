"""The table of metrics, which all evaluation uses."""

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
    Counted,
    MeanLoss,
    Monitor,
    Watched,
    watched,
)

from cnnctl.metrics import classes, scores, values  # isort: skip  (they declare their metrics)

__all__ = [
    "METRICS",
    "Accuracy",
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

del classes, scores, values
