"""What a forward pass keeps for the backward pass: what its layers save, each tensor once.

All in float32; bf16 halves it. Not counted is what single operators need for a moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from cnnctl.model.block import Block, PlannedLayer
from cnnctl.model.layer import Saved, Shape, size_of


def kept_bytes(
    layers: Sequence[PlannedLayer], input: Shape, *, network: nn.Module, kept: Mapping[str, Saved]
) -> int:
    """Bytes that a forward pass of one sample keeps.

    Args:
        network: its modules, on whatever device; what of it is frozen needs no gradients.
        kept: what each layer saves, by name.
    """
    keeping = _Keeping(network, kept)
    keeping.chain(layers, keeping.value(input, needs_gradient=False))
    return keeping.beside + sum(value.size for value in keeping.values if value.is_kept)


@dataclass(slots=True)
class _Value:
    """A tensor between layers."""

    size: int
    """Bytes for one sample."""
    needs_gradient: bool
    is_kept: bool = False


class _Keeping:
    """Follows the tensors through the tree of layers."""

    def __init__(self, network: nn.Module, kept: Mapping[str, Saved]) -> None:
        self.network = network
        self.kept = kept
        self.values: list[_Value] = []
        self.beside = 0

    def value(self, shape: Shape, *, needs_gradient: bool) -> _Value:
        """A new tensor."""
        self.values.append(_Value(size_of(shape), needs_gradient))
        return self.values[-1]

    def chain(self, layers: Sequence[PlannedLayer], value: _Value) -> _Value:
        """What comes out of layers one after the other."""
        for planned in layers:
            if isinstance(planned.layer, Block):
                value = self.block(planned, planned.layer, value)
            else:
                value = self.layer(planned, value)
        return value

    def layer(self, planned: PlannedLayer, value: _Value) -> _Value:
        """What comes out of a layer; it marks what it keeps."""
        if planned.layer.is_view:
            return value
        module = self.network.get_submodule(planned.name)
        learns = any(weight.requires_grad for weight in module.parameters())
        output = self.value(planned.output, needs_gradient=learns or value.needs_gradient)
        if output.needs_gradient:
            kept = self.kept[planned.name]
            value.is_kept |= kept.input
            output.is_kept |= kept.output
            self.beside += kept.beside
        return output

    def block(self, planned: PlannedLayer, block: Block, value: _Value) -> _Value:
        """What comes out of a block."""
        ends: list[_Value] = []
        for index, branch in enumerate(planned.branches):
            taken = self.joined(block.taken(index, value, ends), branch.input)
            ends.append(self.chain(branch.layers, taken))
        if block.joining == "multiply":
            shapes = [branch.output for branch in planned.branches]
            factors = list(zip(ends, shapes, strict=True))
            return self.multiplied(block.given((value, planned.input), factors))
        return self.joined(block.given(value, ends), planned.output)

    def joined(self, sources: Sequence[_Value], shape: Shape) -> _Value:
        """One tensor of several, none of which is kept for it."""
        if len(sources) == 1:
            return sources[0]
        needs_gradient = any(source.needs_gradient for source in sources)
        return self.value(shape, needs_gradient=needs_gradient)

    def multiplied(self, factors: Sequence[tuple[_Value, Shape]]) -> _Value:
        """The product of several, one after the other; the gradient of each needs the other."""
        product, shape = factors[0]
        for factor, its_shape in factors[1:]:
            product.is_kept |= factor.needs_gradient
            factor.is_kept |= product.needs_gradient
            shape = np.broadcast_shapes(shape, its_shape)
            needs_gradient = product.needs_gradient or factor.needs_gradient
            product = self.value(shape, needs_gradient=needs_gradient)
        return product
