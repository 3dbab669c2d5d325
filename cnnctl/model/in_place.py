"""Activations in place: rectifiers that write over their input, where nothing else needs it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from torch import nn

from cnnctl.model.block import PlannedLayer
from cnnctl.model.graph import Graph, Node
from cnnctl.model.layer import WeightedLayer


def rectify_in_place(network: nn.Module, graph: Graph) -> None:
    """Let the activations of `in_place` overwrite their inputs; outputs keep their bits.

    It saves a pass over memory: on a core, a step of two residual blocks took 0.90 of the time with
    16 channels of 32x32 pixels, 0.98 with 64.
    """
    for planned in in_place(graph):
        module: Any = network.get_submodule(planned.name)
        if hasattr(module, "inplace"):
            module.inplace = True


def in_place(graph: Graph) -> Iterator[PlannedLayer]:
    """Activations whose input is a new tensor, taken by no other layer, that nothing saves.

    They save their output alone for the backward pass. Before them stands a layer with weights, a
    batch norm or a sum, all of which save their inputs.
    """
    takers = Counter(source for node in graph.nodes for source in set(node.sources))
    for node in graph.nodes:
        if node.planned is None or not _saves_output_alone(node.planned):
            continue
        (source,) = node.sources
        if takers[source] == 1 and source != graph.output and _is_new(graph.nodes[source]):
            yield node.planned


def _saves_output_alone(planned: PlannedLayer) -> bool:
    if planned.layer.role != "activations":
        return False
    saved = planned.layer.saved(planned.input, planned.output, learning=())
    return saved.output and not saved.input


def _is_new(node: Node) -> bool:
    """Whether it is a tensor of its own, which the operation that made it does not save."""
    if node.planned is None:
        return len(node.sources) > 1 and node.joining == "add"
    layer = node.planned.layer
    if not isinstance(layer, WeightedLayer) and not layer.mixes_samples:
        return False
    is_known = layer.multiply_adds(node.planned.input, node.planned.output) is not None
    return is_known and not layer.saved(node.planned.input, node.planned.output, learning=()).output
