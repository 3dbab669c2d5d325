"""Advice on layers, and on layers side by side."""

from __future__ import annotations

from cnnctl.advice.check import Advice, Check
from cnnctl.advice.facts import Facts
from cnnctl.errors import Fault
from cnnctl.model.layer import WeightedLayer
from cnnctl.model.network import PlannedLayer


class BiasBeforeNorm(Check):
    """A bias that the norm behind it takes away."""

    def find(self, facts: Facts) -> Advice:
        for planned, after in facts.plan.graph.neighbours():
            has_bias = isinstance(planned.layer, WeightedLayer) and planned.layer.bias
            if has_bias and after.layer.centers_channels:
                message = (
                    f"{after.name} subtracts the mean, which cancels the bias of {planned.name}"
                )
                path = (*planned.path, "bias")
                yield Fault(message=message, hint="add bias: false", path=path)


class DropoutBeforeNorm(Check):
    """Dropout before batch norm (Li et al. 2018, https://arxiv.org/abs/1801.05134)."""

    def find(self, facts: Facts) -> Advice:
        for planned, after in facts.plan.graph.neighbours():
            if planned.layer.is_dropout and after.layer.mixes_samples:
                message = (
                    f"{after.name} measures the variance that {planned.name} adds in training only"
                )
                yield Fault(message=message, hint="put dropout after the norm", path=planned.path)


class NoActivationBetween(Check):
    """Two dense layers that are one, as nothing bends between them."""

    def find(self, facts: Facts) -> Advice:
        nearest: dict[str, PlannedLayer] = {}  # before each layer, past linear ones without weights
        for planned, after in facts.plan.graph.neighbours():
            is_passed = planned.layer.is_linear and not isinstance(planned.layer, WeightedLayer)
            before = nearest.get(planned.name, planned) if is_passed else planned
            nearest[after.name] = before
            if _is_dense(before) and _is_dense(after):
                message = f"no activation between {before.name} and {after.name}: "
                message += "together they are one linear layer"
                yield Fault(message=message, hint="add relu between them", path=after.path)


def _is_dense(planned: PlannedLayer) -> bool:
    return isinstance(planned.layer, WeightedLayer) and planned.layer.is_dense


class ActivationTwice(Check):
    """An activation behind an activation."""

    def find(self, facts: Facts) -> Advice:
        for planned, after in facts.plan.graph.neighbours():
            if planned.layer.acts_as and after.layer.acts_as:
                message = f"two activations in a row: {planned.name} and {after.name}"
                yield Fault(message=message, hint="leave one of them out", path=after.path)
