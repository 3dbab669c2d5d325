"""The tensors that a forward pass saves for the backward pass, each counted once.

All in float32; bf16 halves it. Temporary buffers of operators are not counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from cnnctl.model.block import PlannedLayer
from cnnctl.model.graph import Graph, Node
from cnnctl.model.layer import Saved, Shape, size_of


def kept_bytes(graph: Graph, *, network: nn.Module, saved: Mapping[str, Saved]) -> int:
    """Bytes that a forward pass of one sample saves.

    Args:
        network: its modules, on any device; frozen ones need no gradients.
        saved: what each layer saves, by name.
    """
    keeping = _Keeping(network, saved)
    values: list[tuple[_Value, Shape]] = []
    for node in graph.nodes:
        values.append((keeping.node(node, [values[n] for n in node.sources]), node.shape))
    return keeping.beside + sum(value.size for value in keeping.values if value.is_kept)


@dataclass(slots=True)
class _Value:
    """A tensor between two layers."""

    size: int
    """Bytes for one sample."""
    needs_gradient: bool
    is_kept: bool = False


class _Keeping:
    """Follows the tensors through the network."""

    def __init__(self, network: nn.Module, saved: Mapping[str, Saved]) -> None:
        self.network = network
        self.saved = saved
        self.values: list[_Value] = []
        self.beside = 0

    def value(self, shape: Shape, *, needs_gradient: bool) -> _Value:
        """A new tensor."""
        self.values.append(_Value(size_of(shape), needs_gradient))
        return self.values[-1]

    def node(self, node: Node, sources: Sequence[tuple[_Value, Shape]]) -> _Value:
        """The tensor of a node; of the tensors it joins, only factors are saved."""
        if node.planned:
            return self.layer(node.planned, sources[0][0])
        if node.joining == "multiply":
            return self.multiplied(sources)
        needs_gradient = any(source.needs_gradient for source, _ in sources)
        return self.value(node.shape, needs_gradient=needs_gradient)

    def layer(self, planned: PlannedLayer, value: _Value) -> _Value:
        """The output of a layer; marks the tensors that the layer saves."""
        if planned.layer.is_view:
            return value
        module = self.network.get_submodule(planned.name)
        learns = any(weight.requires_grad for weight in module.parameters())
        output = self.value(planned.output, needs_gradient=learns or value.needs_gradient)
        if output.needs_gradient:
            saved = self.saved[planned.name]
            value.is_kept |= saved.input
            output.is_kept |= saved.output
            self.beside += saved.beside
        return output

    def multiplied(self, factors: Sequence[tuple[_Value, Shape]]) -> _Value:
        """The product of several tensors, pairwise; the gradient of each factor needs the other."""
        product, shape = factors[0]
        for factor, its_shape in factors[1:]:
            product.is_kept |= factor.needs_gradient
            factor.is_kept |= product.needs_gradient
            shape = np.broadcast_shapes(shape, its_shape)
            needs_gradient = product.needs_gradient or factor.needs_gradient
            product = self.value(shape, needs_gradient=needs_gradient)
        return product
