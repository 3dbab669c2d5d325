"""Which layers take the output of which, in a planned network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cnnctl.model.block import Block, PlannedLayer
from cnnctl.model.graph import Graph
from cnnctl.model.initializers import Activation
from cnnctl.model.layer import WeightedLayer


def all_layers(layers: Sequence[PlannedLayer]) -> Iterator[PlannedLayer]:
    """These layers and all that is in them; a block comes before what is in it."""
    for planned in layers:
        yield planned
        for branch in planned.branches:
            yield from all_layers(branch.layers)


def chains(layers: tuple[PlannedLayer, ...]) -> Iterator[tuple[PlannedLayer, ...]]:
    """Every run of layers one after the other: the network's own, and those in its blocks."""
    yield tuple(_on_the_way(layers))
    for planned in layers:
        for branch in planned.branches:
            yield from chains(branch.layers)


def _on_the_way(layers: Iterable[PlannedLayer]) -> Iterator[PlannedLayer]:
    """The layers that change what passes through them."""
    for planned in layers:
        if not (isinstance(planned.layer, Block) and planned.layer.is_aside):
            yield planned


def deciding(layers: Sequence[PlannedLayer]) -> PlannedLayer:
    """The layer that sets the output shape of a chain, within a block if one branch does."""
    return _deciding(layers) or layers[-1]


def _deciding(layers: Sequence[PlannedLayer]) -> PlannedLayer | None:
    for planned in reversed(tuple(_on_the_way(layers))):
        if isinstance(planned.layer, Block):
            ends: list[Sequence[PlannedLayer]] = [branch.layers for branch in planned.branches]
            given = planned.layer.given((), ends)
            return (_deciding(given[0]) if len(given) == 1 else None) or planned
        if isinstance(planned.layer, WeightedLayer) or planned.output != planned.input:
            return planned
    return None


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
