"""The tensors that a forward pass saves for the backward pass, each counted once.

All in float32; bf16 halves it. Temporary buffers of operators are not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from torch import nn

from cnnctl.model.block import PlannedLayer
from cnnctl.model.graph import Graph, Node
from cnnctl.model.layer import Saved, Shape, size_of
from cnnctl.model.recomputation import Segment


def kept_bytes(
    graph: Graph,
    *,
    network: nn.Module,
    saved: Mapping[str, Saved],
    segments: Sequence[Segment] = (),
) -> int:
    """Bytes that a forward pass of one sample saves.

    Args:
        network: its modules, on any device; frozen ones need no gradients.
        saved: what each layer saves, by name.
        segments: those that save their input only; one at a time saves the rest.
    """
    keeping = _Keeping(network, saved)
    values: list[tuple[_Value, Shape]] = []
    owners = _Owners(segments)
    for node in graph.nodes:
        keeping.segment = owners.of(node)
        sources = [values[n] for n in node.sources]
        for value, _ in sources:
            if keeping.segment is not None and value.segment != keeping.segment:
                value.is_kept_outside = True
        values.append((keeping.node(node, sources), node.shape))
    return keeping.total()


@dataclass(slots=True)
class _Value:
    """A tensor between two layers."""

    size: int
    """Bytes for one sample."""
    needs_gradient: bool
    segment: Segment | None = None
    """The segment that it is within, if any."""
    is_kept: bool = False
    is_kept_outside: bool = False
    """Whether it is kept by what follows its segment; a segment saves its input."""


class _Owners:
    """Finds the segment that a node belongs to."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.by_name = {name: segment for segment in segments for name in segment.names}

    def of(self, node: Node) -> Segment | None:
        """The segment that computes a node, if any."""
        around = [*node.blocks, *([node.planned] if node.planned else [])]
        names = [
            name for each in around for name in accumulate(each.name.split("."), "{}.{}".format)
        ]
        return next((self.by_name[name] for name in names if name in self.by_name), None)


class _Keeping:
    """Follows the tensors through the network."""

    def __init__(self, network: nn.Module, saved: Mapping[str, Saved]) -> None:
        self.network = network
        self.saved = saved
        self.values: list[_Value] = []
        self.beside: Counter[Segment | None] = Counter()
        self.segment: Segment | None = None
        """The segment of the current node."""

    def keep(self, value: _Value, is_saved: bool) -> None:
        """Mark a tensor as kept by the current node, if it saves it."""
        if value.segment == self.segment:
            value.is_kept |= is_saved
        else:
            value.is_kept_outside |= is_saved

    def total(self) -> int:
        """Bytes kept outside of all segments, their inputs, and the most within one of them."""
        within = Counter(self.beside)
        for value in self.values:
            if value.is_kept_outside:
                within[None] += value.size
            elif value.is_kept:
                within[value.segment] += value.size
        outside = within.pop(None, 0)
        return outside + max(within.values(), default=0)

    def value(self, shape: Shape, *, needs_gradient: bool) -> _Value:
        """A new tensor."""
        self.values.append(_Value(size_of(shape), needs_gradient, self.segment))
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
            self.keep(value, saved.input)
            self.keep(output, saved.output)
            self.beside[self.segment] += saved.beside
        return output

    def multiplied(self, factors: Sequence[tuple[_Value, Shape]]) -> _Value:
        """The product of several tensors, pairwise; the gradient of each factor needs the other."""
        product, shape = factors[0]
        for factor, its_shape in factors[1:]:
            self.keep(product, factor.needs_gradient)
            self.keep(factor, product.needs_gradient)
            shape = np.broadcast_shapes(shape, its_shape)
            needs_gradient = product.needs_gradient or factor.needs_gradient
            product = self.value(shape, needs_gradient=needs_gradient)
        return product
