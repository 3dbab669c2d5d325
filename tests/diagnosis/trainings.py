"""Trainings within this process, and the facts of each."""

from __future__ import annotations

from typing import Any

from cnnctl.config.source import Place, from_plain
from cnnctl.diagnosis.checks import judged
from cnnctl.diagnosis.facts import Facts
from cnnctl.diagnosis.gathering import after_training, before_training, samples_of
from cnnctl.diagnosis.history import History
from cnnctl.experiment import Experiment, Loaded, complete
from cnnctl.run_files import EpochMetrics
from cnnctl.training.observers import Observer
from cnnctl.training.setup import Setup, set_up
from cnnctl.training.training import Training
from cnnctl.verification.finding import Finding, Verdict


class Rows(Observer):
    """Keeps the metrics of every epoch."""

    def __init__(self) -> None:
        self.rows: list[EpochMetrics] = []

    def epoch_ended(self, row: EpochMetrics) -> None:
        self.rows.append(dict(row))


CPU = {"device": "cpu", "precision": "fp32", "compile": False}


def loaded_from(plain: dict[str, Any]) -> Loaded:
    train = {**CPU, **plain.get("train", {})}
    return complete(from_plain({**plain, "train": train}, Place("test")), "test")


def experiment_of(plain: dict[str, Any]) -> Experiment:
    return loaded_from(plain).experiment


def setup_of(plain: dict[str, Any]) -> Setup:
    return set_up(loaded_from(plain))


def trained(plain: dict[str, Any]) -> tuple[Facts, list[EpochMetrics]]:
    """The facts of a run of this experiment, and its epochs."""
    return facts_and_rows(setup_of(plain))


def facts_and_rows(setup: Setup) -> tuple[Facts, list[EpochMetrics]]:
    """The facts of a run with the weights that it keeps, and its epochs."""
    rows = Rows()
    training = Training.of(setup, observers=[rows])
    training.begin()
    training.fit()
    history = History(rows.rows, samples_of(setup.batches))
    return after_training(setup, training.store.best_weights(), history), rows.rows


def untrained(plain: dict[str, Any]) -> Facts:
    """The facts of this experiment before training."""
    return before_training(setup_of(plain), None)


def findings(facts: Facts) -> dict[str, Finding]:
    return {check.name: found for check, found in judged(facts).items()}


def warnings_of(facts: Facts) -> dict[str, str]:
    """The names of all checks that warn, and what they say."""
    found = findings(facts).items()
    return {name: each.figure for name, each in found if each.verdict is Verdict.WARNING}
