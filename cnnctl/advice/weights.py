"""Advice on how weights start."""

from __future__ import annotations

from cnnctl.advice.check import Advice, Check
from cnnctl.advice.facts import Facts
from cnnctl.errors import ConfigPath, Fault
from cnnctl.model.graph import following_activation
from cnnctl.model.layer import WeightedLayer


class UnfitWeights(Check):
    """Kaiming before sigmoid, Xavier before relu; the model's own init is reported once."""

    def find(self, facts: Facts) -> Advice:
        found: dict[ConfigPath, Fault] = {}
        plan = facts.plan
        for planned, behind in plan.graph.with_followers():
            if isinstance(planned.layer, WeightedLayer):
                init = planned.layer.init or plan.init
                own: ConfigPath = (*planned.path, "init")
                path = own if planned.layer.init else ("model", "init")
                activation = following_activation(behind)
                if better := init.better_before(activation):
                    message = f"{init.kind} does not suit the {activation} after {planned.name}"
                    hint = f"use {better}, or remove init"
                    found.setdefault(path, Fault(message=message, hint=hint, path=path))
        yield from found.values()
