"""Dead and saturated units."""

from __future__ import annotations

from collections.abc import Mapping

from cnnctl.diagnosis.checks.check import Check, fine, unknown, warning
from cnnctl.diagnosis.facts import Facts
from cnnctl.training.layer_statistics import SATURATED
from cnnctl.verification.finding import Finding

MOST = 0.5
LEARNING = 0.1
"""Share of the loss of a constant answer below which a network works, with half of its units dead
(52 % in one that had all digits right) or saturated (70 % in one that separates two spirals)."""


class DeadUnits(Check):
    """A rectifier that is zero for every sample has no gradient, and stays so."""

    name = "dead units"
    threshold = (
        f"> {MOST:.0%} of the units of a layer are zero for all of 512 samples, while the loss is "
        f"above {LEARNING:.0%} of a constant answer's"
    )
    source = "TheDeepChecker (Ben Braiek and Khomh 2022); that it has to matter is ours"

    def find(self, facts: Facts) -> Finding:
        if facts.look is None:
            return unknown(facts.why_not("look"))
        shares = {
            each.name: each.figures.dead
            for each in facts.look.layers
            if each.figures.dead is not None and not each.is_output
        }
        if not shares:
            return fine("no layer with rectifiers")
        cause = "a lower optimizer.lr" if facts.is_trained else "another seed or model.init"
        hint = f"try {cause}, leaky_relu, or batch_norm before it"
        level = facts.yardstick.level(facts.look.loss)
        return _found(shares, level, what="units are dead", hint=hint)


class Saturation(Check):
    """A tanh or sigmoid far from its middle passes hardly any gradient."""

    name = "saturated units"
    threshold = (
        f"> {MOST:.0%} of the units of a layer have a mean |tanh| or |2 sigmoid - 1| > "
        f"{SATURATED}, while the loss is above {LEARNING:.0%} of a constant answer's"
    )
    source = "TheDeepChecker (Ben Braiek and Khomh 2022); that it has to matter is ours"

    def find(self, facts: Facts) -> Finding:
        if facts.look is None:
            return unknown(facts.why_not("look"))
        shares = {
            each.name: each.figures.saturated
            for each in facts.look.layers
            if each.figures.saturated is not None and not each.is_output
        }
        if not shares:
            return fine("no hidden layer of tanh or sigmoid")
        hint = "normalize the inputs, start with smaller weights (model.init), or use relu"
        level = facts.yardstick.level(facts.look.loss)
        return _found(shares, level, what="units are saturated", hint=hint)


def _found(shares: Mapping[str, float], level: float, *, what: str, hint: str) -> Finding:
    """The finding for these shares of units by layer, at this level of the loss."""
    worst = max(shares, key=lambda name: shares[name])
    figure = f"{shares[worst]:.0%} of {worst}"
    if shares[worst] <= MOST or level <= LEARNING:
        return fine(f"at most {figure}", {"layers": shares})
    named = tuple(f"{name} {share:.0%}" for name, share in shares.items() if share > MOST)
    return warning(f"{what}: {figure}", hint, {"layers": shares}, named=named)
