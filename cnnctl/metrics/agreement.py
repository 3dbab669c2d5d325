"""How far a network agrees with its teachers, which only training knows."""

from __future__ import annotations

from cnnctl.metrics.metric import Number, Predictions


class Agreement(Number, kind="agreement"):
    """The share of training samples to which a network answers as its teacher, of values R²."""

    label = "agreement"
    measures = ()

    def of(self, predictions: Predictions) -> None:
        return None
