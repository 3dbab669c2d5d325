"""The loss before the first step."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from cnnctl.diagnosis.checks.check import Check, When, unknown
from cnnctl.diagnosis.facts import Facts
from cnnctl.verification.checks.first_loss import HIGHEST
from cnnctl.verification.checks.first_loss import FirstLoss as OfCheck
from cnnctl.verification.finding import Finding, Verdict


class FirstLoss(Check):
    """An untrained network should have about the loss of a constant prediction."""

    name = OfCheck.name
    threshold = f"> {HIGHEST:g} times that of a constant prediction, such as ln(classes)"
    source = OfCheck.source
    when: ClassVar[When] = "before training"

    def find(self, facts: Facts) -> Finding:
        if facts.steps is None or not facts.steps.losses:
            return unknown(facts.why_not("steps"))
        found = OfCheck().judge(facts.steps.losses)
        is_high = found.verdict is Verdict.ERROR
        return replace(found, verdict=Verdict.WARNING if is_high else found.verdict)
