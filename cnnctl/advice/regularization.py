"""Advice on what is done against overfitting."""

from __future__ import annotations

from cnnctl.advice.check import Advice, Check
from cnnctl.advice.facts import Facts
from cnnctl.errors import Fault


class EndlessPatience(Check):
    """Early stopping that cannot stop the run."""

    def find(self, facts: Facts) -> Advice:
        experiment = facts.experiment
        stopping, epochs = experiment.regularization.early_stopping, experiment.train.epochs
        if stopping and stopping.patience >= epochs:
            message = f"a patience of {stopping.patience} cannot stop a run of {epochs} epochs"
            path = ("regularization", "early_stopping")
            yield Fault(message=message, hint="use a smaller patience, or more epochs", path=path)
