"""The scale of the inputs."""

from __future__ import annotations

from cnnctl.diagnosis.checks.check import Check, fine, unknown, warning
from cnnctl.diagnosis.facts import Facts
from cnnctl.verification.finding import Finding

HIGHEST = 3.0
LOWEST = 0.01


class InputScale(Check):
    """Initialisation and rates are made for inputs of about mean 0 and spread 1."""

    name = "scale of the inputs"
    threshold = f"|mean| or spread > {HIGHEST:g}, or spread < {LOWEST:g}"
    source = "UMLAUT (Schoop et al. 2021); the lower bound is ours"

    def find(self, facts: Facts) -> Finding:
        if facts.look is None:
            return unknown(facts.why_not("look"))
        found = facts.look.inputs
        figure = f"mean {found.mean:.3g}, spread {found.spread:.3g}"
        numbers = {"mean": found.mean, "spread": found.spread}
        if abs(found.mean) <= HIGHEST and LOWEST <= found.spread <= HIGHEST:
            return fine(figure, numbers)
        if not found.spread:
            hint = "check how the samples are read: all of their values are equal"
            return warning(f"the inputs are all the same: {figure}", hint, numbers)
        hint = "set data.normalize=auto, which gives each channel mean 0 and spread 1"
        return warning(f"the inputs are out of scale: {figure}", hint, numbers)
