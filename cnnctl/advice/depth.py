"""Advice on networks through which values or gradients hardly pass."""

from __future__ import annotations

from collections.abc import Iterator

from cnnctl.advice.check import Advice, Check
from cnnctl.advice.facts import Facts
from cnnctl.errors import Fault
from cnnctl.model.block import PlannedLayer
from cnnctl.model.graph import Node, fewest_between
from cnnctl.model.layer import WeightedLayer

DEEP_SIGMOIDS = 6
"""Sigmoids between layers, each of which passes at most a quarter of the gradient. MNIST, width 64,
three epochs of Adam: 95.4 % with 3, 94.8 with 4, 93.2 with 6, 62.0 with 8; residual blocks with a
sigmoid behind the sum: 94.0 with 4 in all, 91.7 with 5, 53.2 with 7."""
DEEP = 20
"""Layers with weights: MNIST, an epoch, width 64, SGD and Adam: 92.9 and 94.1 % with 15, 89.5 and
93.0 with 20, 59.4 and 91.2 with 25, 22.6 and 90.4 with 30. VGG-19 has 19."""
GROWTH = 2.0**8
"""Of the variance. MNIST, an epoch, residual blocks of two layers of 64: Adam reaches 94.6 % with
4 blocks, 93.4 with 8, 88.6 with 12; SGD at 0.01 reaches 93.4 with 4 and diverges with 8. With zeros
in the last layer of each, 24 blocks reach 95.6 and 93.5."""


class VanishingGradients(Check):
    """Many sigmoids that every gradient has to pass without a norm between.

    One at the output is left out, whose gradient cancels that of bce.
    """

    def find(self, facts: Facts) -> Advice:
        graph = facts.plan.graph
        hidden = {
            node.planned.name
            for number, node in enumerate(graph.nodes)
            if node.planned and node.planned.layer.acts_as == "sigmoid"
            if graph.next_weighted(number)
        }
        count = fewest_between(graph, lambda leaf: leaf.name in hidden, resets=_is_norm)
        if count >= DEEP_SIGMOIDS:
            first = next(leaf for leaf in facts.plan.leaves() if leaf.name in hidden)
            message = f"gradients vanish through {count} sigmoids: on MNIST, 8 reached 62% "
            message += "where 3 reached 95%"
            yield Fault(message=message, hint="use relu, or add batch_norm", path=first.path)


def _is_norm(planned: PlannedLayer) -> bool:
    return planned.layer.is_norm


class DeepWithoutHelp(Check):
    """Many layers in a row without a norm or a shortcut (He et al. 2015, figure 1)."""

    def find(self, facts: Facts) -> Advice:
        count = fewest_between(facts.plan.graph, _has_weights, resets=_keeps_scale)
        if count >= DEEP:
            first = next(planned for planned, _ in facts.weighted())
            message = f"{count} layers without norm or shortcut hardly learn: "
            message += "on MNIST, 30 reached 23% where 2 reached 96%"
            hint = "add batch_norm after each, or residual blocks"
            yield Fault(message=message, hint=hint, path=first.path)


def _has_weights(planned: PlannedLayer) -> bool:
    return isinstance(planned.layer, WeightedLayer)


def _keeps_scale(planned: PlannedLayer) -> bool:
    # selu normalises by itself (Klambauer et al. 2017)
    return planned.layer.is_norm or planned.layer.acts_as == "selu"


class GrowingSums(Check):
    """Residual blocks without norm, each of which doubles the variance (Zhang et al. 2019,
    https://arxiv.org/abs/1901.09321)."""

    def find(self, facts: Facts) -> Advice:
        variances = list(_variances(facts))
        largest = max(variances)
        if largest >= GROWTH:
            nodes = facts.plan.graph.nodes
            sums = [node for node in nodes if _is_sum(node)]
            message = f"without norm, values grow {largest**0.5:,.0f}-fold through {len(sums)} "
            message += "residual blocks: on MNIST, 8 made SGD diverge, and 24 kept Adam at 67%"
            hint = "add a norm to each block, or init: zeros to its last layer"
            yield Fault(message=message, hint=hint, path=sums[0].blocks[-1].path)


def _is_sum(node: Node) -> bool:
    return not node.planned and node.joining == "add" and len(node.sources) > 1


def _variances(facts: Facts) -> Iterator[float]:
    """The variance of each node, if layers keep that of their input."""
    found: list[float] = []
    for node in facts.plan.graph.nodes:
        before = [found[source] for source in node.sources]
        found.append(min(_variance(node, before, facts), 1e300))
    yield from found


def _variance(node: Node, before: list[float], facts: Facts) -> float:
    if not before:
        return 1.0
    if node.planned:
        return _after(node.planned, before[0], facts)
    if node.joining == "concatenate":
        return max(before)
    if node.joining == "multiply":
        return min(before)
    return sum(before) / (len(before) ** 2 if node.joining == "mean" else 1)


def _after(planned: PlannedLayer, before: float, facts: Facts) -> float:
    layer = planned.layer
    if layer.is_norm:
        return 1.0
    if layer.gives in ("bounded", "probabilities"):
        return min(before, 1.0)
    start = facts.starts.get(planned.name)
    if start and start.initializer.rms(tuple(start.tensor.shape), activation="linear") == 0:
        return 0.0
    return before * layer.starting_scale**2


class BlockedGradients(Check):
    """Weights that only a layer with a gradient of 0 connects to the loss."""

    def find(self, facts: Facts) -> Advice:
        graph = facts.plan.graph
        reached = {graph.output} | {n for n, node in enumerate(graph.nodes) if node.aside}
        blocking: dict[int, PlannedLayer] = {}
        for number in range(len(graph.nodes) - 1, 0, -1):
            node = graph.nodes[number]
            if number in reached and not (node.planned and node.planned.layer.blocks_gradients):
                reached.update(node.sources)
            elif node.planned and node.planned.layer.blocks_gradients:
                blocking.update(dict.fromkeys(node.sources, node.planned))
            elif number in blocking:
                blocking.update(dict.fromkeys(node.sources, blocking[number]))
        silent = [
            (node.planned, blocking[number])
            for number, node in enumerate(graph.nodes)
            if node.planned and number in blocking and number not in reached
            if facts.learns(node.planned)
        ]
        if silent:
            names = ", ".join(dict.fromkeys(planned.name for planned, _ in silent))
            step = silent[0][1]
            message = f"the gradient of {step.layer.kind} is 0, so that {names} cannot learn"
            hint = f"use sigmoid to train, or freeze: [{names}]"
            yield Fault(message=message, hint=hint, path=step.path)
