"""Activations behind each other and behind weights, in the graph of a planned network."""

from __future__ import annotations

from collections.abc import Iterable

from cnnctl.model.block import PlannedLayer
from cnnctl.model.graph import Graph
from cnnctl.model.initializers import Activation
from cnnctl.model.layer import WeightedLayer


def fewest_between_norms(graph: Graph, activation: Activation) -> int:
    """How many such activations every gradient has to pass with no norm in between.

    Of all paths through the blocks the one with the fewest counts, as a shortcut lets it by.
    """
    passed: list[tuple[int, int]] = []
    for node in graph.nodes:
        # the most without a norm in between, and how many since the last norm
        most, run = min((passed[source] for source in node.sources), default=(0, 0))
        if node.planned and node.planned.layer.is_norm:
            run = 0
        elif node.planned and node.planned.layer.acts_as == activation:
            most, run = max(most, run + 1), run + 1
        passed.append((most, run))
    return passed[graph.output][0]


def following_activation(layers: Iterable[PlannedLayer]) -> Activation:
    """The first activation behind a layer, before the next weights; `linear` if there is none."""
    for planned in layers:
        if planned.layer.acts_as is not None:
            return planned.layer.acts_as
        if isinstance(planned.layer, WeightedLayer):
            break
    return "linear"
