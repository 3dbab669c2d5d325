"""The size of the updates."""

from __future__ import annotations

from math import log10, sqrt
from statistics import median

from cnnctl.diagnosis.checks.check import Check, fine, unknown, warning
from cnnctl.diagnosis.facts import Facts, Layer
from cnnctl.verification.finding import Finding

HIGHEST, LOWEST = -1.0, -4.0
LEARNING = 0.5
"""Share of the loss of a constant answer above which there is still much to learn."""


SMALL = 0.1
"""Of the usual size of a weight, 1 / sqrt(fan_in): smaller ones are still growing."""


class Update(Check):
    """A step should change the weights of a layer by about a thousandth."""

    name = "update against weight"
    threshold = f"log10 of the median over the layers > {HIGHEST:g} or < {LOWEST:g}"
    source = "TheDeepChecker (Ben Braiek and Khomh 2022); Karpathy aims at -3"

    def find(self, facts: Facts) -> Finding:
        if facts.steps is None or facts.look is None:
            return unknown(facts.why_not("steps"))
        found = {
            layer.name: log10(update)
            for layer in facts.steps.layers
            if layer.is_matrix and (update := relative_update(layer))
        }
        gradients = [layer.figures.gradient for layer in facts.steps.layers if layer.is_matrix]
        if not found and any(each == 0 for each in gradients) and not any(gradients):
            hint = "look for layers that are dead, or weights that start at zero (model.init)"
            return warning("all gradients are zero: a step changes no weights", hint, {})
        if facts.experiment.optimizer.needs_full_batch:
            return fine("a step of this optimizer is many", {"layers": found})
        if not found:
            return unknown("no layer has weights that learn")
        middle = median(found.values())
        figure = f"10^{middle:.1f} in a step"
        level = facts.yardstick.level(facts.look.loss)
        if LOWEST <= middle <= HIGHEST or level <= LEARNING:
            return fine(figure, {"log10": middle, "layers": found})
        if middle > HIGHEST:
            figure = f"a step changes the weights by {figure.removesuffix(' in a step')} of them"
            return warning(figure, "try a lower optimizer.lr", {"log10": middle, "layers": found})
        figure = f"a step changes the weights by only {figure.removesuffix(' in a step')} of them"
        return warning(figure, "try a higher optimizer.lr", {"log10": middle, "layers": found})


def relative_update(layer: Layer) -> float:
    """The update against the weights, or against SMALL ones if they are smaller."""
    update, weight = layer.figures.update or 0.0, layer.figures.weight or 0.0
    return update * min(1.0, weight * sqrt(layer.fan_in) / SMALL)
