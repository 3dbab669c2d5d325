"""Advice on how weights start."""

from __future__ import annotations

from math import sqrt

from cnnctl.advice.check import Advice, Check
from cnnctl.advice.facts import Facts
from cnnctl.errors import ConfigPath, Fault
from cnnctl.model.graph import following_activation
from cnnctl.model.initializers import RECTIFIERS, fans
from cnnctl.model.layer import WeightedLayer
from cnnctl.model.network import Start

FAR_TOO_LARGE = 4.0
"""Times sqrt(2 / fan_in). MNIST, MLP 100-100, an epoch: 95.9 % at 1, 94.9 at 3, 91.7 at 5, 67 at
10; at 20, the loss is not finite under SGD, and Adam reaches 82."""


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


class EqualWeights(Check):
    """Units that start equal and stay equal, or zeros that let nothing through.

    Units with equal weights before and behind them get equal gradients (Goodfellow et al. 2016,
    Deep Learning, 8.4). MNIST, MLP with 100 units, an epoch: 55.5 % with all weights at 0.01, 11.3
    at 0, and 95.1 or more if only one layer, the last one included, starts equal.
    """

    def find(self, facts: Facts) -> Advice:
        found: dict[ConfigPath, Fault] = {}
        for start in facts.starts.values():
            if not self._is_stuck(start, facts):
                continue
            name = start.planned.name
            message = f"all weights of {name} and behind it start equal, so that its units stay "
            message += "equal: on MNIST, 55% instead of 96%"
            if start.activation in RECTIFIERS and not _rms(start):
                message = f"{name} starts at zero, where {start.activation} lets no gradient "
                message += "through: on MNIST, 11% instead of 96%"
            hint = "remove init, or draw the weights, as with kaiming_normal"
            found.setdefault(start.path, Fault(message=message, hint=hint, path=start.path))
        yield from found.values()

    def _is_stuck(self, start: Start, facts: Facts) -> bool:
        layer, outputs = start.planned.layer, start.planned.output[0]
        is_dense = isinstance(layer, WeightedLayer) and layer.is_dense
        is_equal = start.initializer.starts_equal and is_dense and outputs > 1
        behind = facts.plan.graph.next_weighted(facts.plan.graph.ends[start.planned.name])
        if not (is_equal and behind and facts.learns(start.planned)):
            return False
        if start.activation in RECTIFIERS and not _rms(start) and _is_alone(start, facts):
            return True
        after = [facts.starts.get(planned.name) for planned in behind]
        return all(each is not None and each.initializer.starts_equal for each in after)


def _is_alone(start: Start, facts: Facts) -> bool:
    """Whether nothing is added to the output of a layer before its activation."""
    number = facts.plan.graph.ends[start.planned.name]
    takers = [node for node in facts.plan.graph.nodes if number in node.sources]
    return all(node.planned and node.planned.layer.acts_as for node in takers)


class LargeWeights(Check):
    """Weights that start far beyond sqrt(2 / fan_in) (He et al. 2015), with no norm behind.

    An initializer of several layers is named once, with the layer that it suits least.
    """

    def find(self, facts: Facts) -> Advice:
        pairs = list(facts.plan.graph.neighbours())
        normed = {planned.name for planned, after in pairs if after.layer.is_norm}
        scales = {planned.name: abs(after.layer.starting_scale) for planned, after in pairs}
        worst: dict[ConfigPath, tuple[float, Start]] = {}
        for start in facts.starts.values():
            ratio = (_rms(start) or 0.0) / _usual(start) * scales.get(start.planned.name, 1.0)
            if start.planned.name not in normed and facts.learns(start.planned):
                known = worst.setdefault(start.path, (ratio, start))
                worst[start.path] = max(known, (ratio, start), key=lambda pair: pair[0])
        for path, (ratio, start) in worst.items():
            if ratio >= FAR_TOO_LARGE:
                message = f"weights of {start.planned.name} start at {_rms(start):.2g}, "
                message += f"{ratio:.0f} times sqrt(2 / fan_in) = {_usual(start):.2g}: "
                message += "on MNIST, 5 times cost 4% of accuracy, and 10 times 29%"
                hint = "remove init, or use kaiming_normal"
                yield Fault(message=message, hint=hint, path=path)


def _usual(start: Start) -> float:
    return sqrt(2 / fans(tuple(start.tensor.shape))[0])


def _rms(start: Start) -> float | None:
    shape = tuple(start.tensor.shape)
    return start.initializer.rms(shape, activation=start.activation)
