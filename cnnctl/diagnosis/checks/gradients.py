"""Vanishing and exploding gradients."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf
from statistics import median

from cnnctl.diagnosis.checks.check import Check, fine, unknown, warning
from cnnctl.diagnosis.facts import Facts, Layer
from cnnctl.verification.finding import Finding

LOWEST_RATIO, LOWEST = 1e-3, 1e-4
HIGHEST_RATIO = 70.0
SPIKE, WINDOW = 10.0, 50
LEARNING = 0.05
"""Share of the loss of a constant answer below which the norms are noise."""


def ends(layers: Sequence[Layer]) -> tuple[Layer, Layer] | None:
    """The first and the last layer with gradients; None with fewer than two."""
    found = [each for each in layers if each.is_matrix and each.figures.gradient is not None]
    return (found[0], found[-1]) if len(found) > 1 else None


class Vanishing(Check):
    """Gradients that shrink from layer to layer leave the first layers as they are."""

    name = "vanishing gradients"
    threshold = f"RMS first / last layer < {LOWEST_RATIO:g}, and first < {LOWEST:g}"
    source = "AUTOTRAINER (Zhang et al. 2021)"

    def find(self, facts: Facts) -> Finding:
        both = facts.steps and ends(facts.steps.layers)
        if not both:
            return unknown(_too_few(facts))
        first, last = ((each.name, each.figures.gradient or 0.0) for each in both)
        ratio = first[1] / last[1] if last[1] else 1.0
        figure = f"{first[0]} {first[1]:.1e}, {last[0]} {last[1]:.1e}"
        numbers = {"first": first[1], "last": last[1], "ratio": ratio}
        if ratio >= LOWEST_RATIO or first[1] >= LOWEST:
            return fine(figure, numbers)
        hint = "use relu with batch_norm, residual blocks, or fewer layers"
        return warning(f"gradients vanish: {figure}", hint, numbers)


class Exploding(Check):
    """Gradients that grow from layer to layer, or from step to step, throw the weights about."""

    name = "exploding gradients"
    threshold = (
        f"RMS first / last layer > {HIGHEST_RATIO:g}, not finite, or a norm > {SPIKE:g} times the "
        f"median of the last {WINDOW}"
    )
    source = "AUTOTRAINER (Zhang et al. 2021); the spike is ours, tried on 26 MNIST trainings"

    def find(self, facts: Facts) -> Finding:
        steps = facts.steps
        if steps is not None and steps.error:
            hint = "try a lower optimizer.lr or regularization.clip_norm=1"
            return warning(steps.error, hint, {"finite": False})
        both = steps and ends(steps.layers)
        if steps is None or not both:
            return unknown(_too_few(facts))
        first, last = ((each.name, each.figures.gradient or 0.0) for each in both)
        ratio, spike = first[1] / last[1] if last[1] else 1.0, highest_spike(steps.norms)
        numbers = {"ratio": ratio, "spike": spike}
        figure = f"{first[0]} {ratio:.2g} times {last[0]}"
        if isinf(first[1]) or isinf(last[1]):
            hint = "try a lower optimizer.lr or regularization.clip_norm=1"
            return warning("a gradient is not finite", hint, numbers)
        if ratio > HIGHEST_RATIO:
            hint = "start with smaller weights (model.init), add batch_norm, or set clip_norm=1"
            return warning(f"gradients explode: {figure}", hint, numbers)
        is_learning = facts.look is not None and facts.yardstick.level(facts.look.loss) > LEARNING
        if spike > SPIKE and is_learning:
            hint = "set regularization.clip_norm=1, or try a lower optimizer.lr"
            figure = f"the norm of the gradient jumps to {spike:.0f} times its median"
            return warning(figure, hint, numbers)
        return fine(figure, numbers)


def highest_spike(norms: Sequence[float]) -> float:
    """The highest norm, as a multiple of the median of those before it."""
    found = [1.0]
    for at in range(10, len(norms)):
        usual = median(norms[max(0, at - WINDOW) : at])
        found.append(norms[at] / usual if usual > 0 else 1.0)
    return max(found)


def _too_few(facts: Facts) -> str:
    if facts.steps is None:
        return facts.why_not("steps")
    return "fewer than two layers have weights that learn"
