"""The checks; a new one is a class in a file of its subject, and its entry in CHECKS."""

from __future__ import annotations

from collections.abc import Mapping

from cnnctl.diagnosis.checks.answers import NeverPredicted, SameAnswer
from cnnctl.diagnosis.checks.batch_statistics import BatchStatistics
from cnnctl.diagnosis.checks.check import Check
from cnnctl.diagnosis.checks.dead import DeadUnits, Saturation
from cnnctl.diagnosis.checks.divergence import Diverging, Swinging
from cnnctl.diagnosis.checks.first_loss import FirstLoss
from cnnctl.diagnosis.checks.gradients import Exploding, Vanishing
from cnnctl.diagnosis.checks.inputs import InputScale
from cnnctl.diagnosis.checks.learning import LearnsNothing
from cnnctl.diagnosis.checks.memorizing import Memorizing
from cnnctl.diagnosis.checks.modes import ModesAgree
from cnnctl.diagnosis.checks.overfitting import Overfitting, StandsStill
from cnnctl.diagnosis.checks.recorded import RecordedSteps
from cnnctl.diagnosis.checks.unfinished import Unfinished
from cnnctl.diagnosis.checks.update import Update
from cnnctl.diagnosis.facts import Facts
from cnnctl.verification.finding import Finding

CHECKS: tuple[Check, ...] = (
    InputScale(),
    FirstLoss(),
    Memorizing(),
    DeadUnits(),
    Saturation(),
    Exploding(),
    RecordedSteps(),
    Vanishing(),
    Update(),
    ModesAgree(),
    BatchStatistics(),
    Diverging(),
    Swinging(),
    LearnsNothing(),
    SameAnswer(),
    NeverPredicted(),
    Overfitting(),
    StandsStill(),
    Unfinished(),
)
"""All checks: first those whose warnings explain others."""


def judged(facts: Facts) -> Mapping[Check, Finding]:
    """What each check that applies to such a network finds."""
    return {check: check.find(facts) for check in CHECKS if check.applies(facts)}
