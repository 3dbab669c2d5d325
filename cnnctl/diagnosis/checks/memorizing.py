"""Learning a few samples by heart."""

from __future__ import annotations

from typing import ClassVar

from cnnctl.diagnosis.checks.check import Check, When, fine, unknown, warning
from cnnctl.diagnosis.facts import Facts, Trial
from cnnctl.diagnosis.memorizing import SAMPLES, STEPS
from cnnctl.verification.finding import Finding


class Memorizing(Check):
    """A network that cannot learn a few samples by heart has a fault, or a rate that is no use."""

    name = "a few samples by heart"
    threshold = f"not all of {SAMPLES} samples right after {STEPS} steps"
    source = (
        "Karpathy, A Recipe for Training Neural Networks (2019), overfit one batch; TheDeepChecker "
        "(Ben Braiek and Khomh 2022); 7 healthy trainings on MNIST took up to 40 steps"
    )
    when: ClassVar[When] = "before training"

    def find(self, facts: Facts) -> Finding:
        trial = facts.trial
        if trial is None:
            return unknown(facts.why_not("trial"))
        numbers = {
            "samples": trial.samples,
            "steps": trial.steps,
            "accuracy": trial.accuracy,
            "level": trial.level,
        }
        if trial.is_learned:
            return fine(f"{trial.samples} samples right after {trial.steps} steps", numbers)
        if trial.is_cut_short:
            return unknown(f"no time for more than {trial.steps} of {STEPS} steps")
        hint = (
            "try another optimizer.lr, ten times larger and smaller; then look at the layers below "
            "and at the labels"
        )
        return warning(_figure(trial), hint, numbers)


def _figure(trial: Trial) -> str:
    if trial.error:
        return f"{trial.samples} samples could not be learned by heart: {trial.error}"
    found = f"{trial.accuracy:.0%} are right" if trial.accuracy is not None else ""
    found = found or f"the loss is {trial.level:.0%} of that of their mean"
    return f"of {trial.samples} samples, {found} after {trial.steps} steps on them alone"
