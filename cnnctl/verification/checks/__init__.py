"""The checks; a new one is a class in a file of its own, and its entry in CHECKS."""

from __future__ import annotations

from collections.abc import Mapping

from cnnctl.verification.checks.contradictions import Contradictions
from cnnctl.verification.checks.duration import TrainingTime
from cnnctl.verification.checks.first_loss import FirstLoss
from cnnctl.verification.checks.identical import Identical
from cnnctl.verification.checks.memory import EnoughMemory
from cnnctl.verification.checks.reading import Reading
from cnnctl.verification.checks.similar import Similar
from cnnctl.verification.checks.step import FirstStep
from cnnctl.verification.facts import Facts
from cnnctl.verification.finding import Check, Finding

CHECKS: tuple[Check, ...] = (
    Reading(),
    Identical(),
    Similar(),
    Contradictions(),
    FirstLoss(),
    FirstStep(),
    EnoughMemory(),
    TrainingTime(),
)
"""All checks, in the order in which they are reported."""


def judged(facts: Facts) -> Mapping[Check, Finding]:
    """What each check finds."""
    return {check: check.find(facts) for check in CHECKS}
