"""Advice on networks through which values or gradients hardly pass."""

from __future__ import annotations

from cnnctl.advice.check import Advice, Check
from cnnctl.advice.facts import Facts
from cnnctl.errors import Fault
from cnnctl.model.graph import fewest_between_norms

DEEP_SIGMOIDS = 4
"""Consecutive sigmoids; each passes at most a quarter of the gradient."""


class VanishingGradients(Check):
    """Many sigmoids that every gradient has to pass without a norm between."""

    def find(self, facts: Facts) -> Advice:
        plan = facts.plan
        count = fewest_between_norms(plan.graph, "sigmoid")
        if count >= DEEP_SIGMOIDS:
            first = next(leaf for leaf in plan.leaves() if leaf.layer.acts_as == "sigmoid")
            message = f"gradients vanish through {count} sigmoids"
            yield Fault(message=message, hint="use relu, or add batch_norm", path=first.path)
