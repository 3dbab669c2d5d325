"""What a forward pass keeps for the backward pass.

Counted is every tensor that torch's operators save, once, however many of them save it: the input
of convolutions, products, norms, pools and most activations; the output of relu, tanh, sigmoid and
softmax; the positions of maxima; the masks of dropout, as on the CPU, where they are numbers (on a
GPU they are bytes). All in float32; bf16 halves it. Not counted are weights, which are there
anyway, a norm's few statistics, and what single operators need for a moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from torch import nn

from cnnctl.inspection.cost import CONVOLUTIONS, NUMBER, VIEWS
from cnnctl.model.block import Block, PlannedLayer
from cnnctl.model.blocks import Branches
from cnnctl.model.layer import Shape
from cnnctl.model.modules import (
    ChannelNorm,
    GlobalAvgPool,
    GlobalMaxPool,
    LayerScale,
    Maxout,
    PadChannels,
)

_POSITION = 8
"""Bytes of an int64."""
_NOTHING = (
    *VIEWS, nn.ZeroPad1d, nn.ZeroPad2d, nn.Upsample, nn.Dropout,
    nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout, GlobalAvgPool, PadChannels,
    nn.ChannelShuffle,
)  # fmt: skip
_OUTPUT_ONLY = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Softmax, nn.LogSoftmax)
_AVERAGES = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
_MAXIMA = (nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)
_MASKS = (nn.Dropout, nn.AlphaDropout)
_COPIES = (nn.Softsign, nn.LogSigmoid)
"""Keep something as large as their input, beside it."""
_FOR_THE_WEIGHT = (nn.Linear, LayerScale)
"""Keep their input for the gradient of their weight alone."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What one layer keeps, if gradients are asked for."""

    input: bool
    output: bool
    beside: int = 0
    """Bytes for one sample of what is neither."""


def kept_by(module: nn.Module, input: Shape, output: Shape) -> Kept:
    """What a module keeps, with what of it is frozen; of one that is not known, its input."""
    keeps_output = isinstance(module, (*_OUTPUT_ONLY, GlobalMaxPool, Maxout))
    return Kept(_keeps_input(module, output), keeps_output, _beside(module, input, output))


def _keeps_input(module: nn.Module, output: Shape) -> bool:
    if isinstance(module, _AVERAGES):
        return max(output[1:]) > 1  # of a single window it takes the mean, which needs nothing
    if isinstance(module, CONVOLUTIONS):
        return module.padding_mode != "circular"
    if isinstance(module, _FOR_THE_WEIGHT):
        return _has_learning_weight(module)
    is_stochastic_depth = type(module).__module__ == "torchvision.ops.stochastic_depth"
    return not (isinstance(module, (*_NOTHING, *_OUTPUT_ONLY)) or is_stochastic_depth)


def _has_learning_weight(module: nn.Module) -> bool:
    return isinstance(module.weight, nn.Parameter) and module.weight.requires_grad


def _beside(module: nn.Module, input: Shape, output: Shape) -> int:
    if isinstance(module, _MAXIMA):
        return prod(output) * _POSITION
    if isinstance(module, (*_MASKS, *_COPIES)):
        return prod(input) * NUMBER
    if isinstance(module, nn.RMSNorm):  # its output before the weight
        return prod(input) * NUMBER if _has_learning_weight(module) else 0
    if isinstance(module, ChannelNorm):  # a mean and a deviation at each position
        return 2 * prod(input[1:]) * NUMBER
    if isinstance(module, nn.LocalResponseNorm):  # squares, with channels added, and two powers
        return (3 * input[0] + module.size - 1) * prod(input[1:]) * NUMBER
    if isinstance(module, CONVOLUTIONS) and module.padding_mode != "zeros":
        ends = zip(module._reversed_padding_repeated_twice[::2][::-1], input[1:], strict=True)
        return input[0] * prod(side + 2 * pad for pad, side in ends) * NUMBER
    return 0


def kept_bytes(
    layers: Sequence[PlannedLayer], input: Shape, *, network: nn.Module, kept: Mapping[str, Kept]
) -> int:
    """Bytes that a forward pass of one sample keeps.

    Args:
        network: its modules, on whatever device; what of it is frozen needs no gradients.
        kept: what each layer keeps, by name.
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

    def __init__(self, network: nn.Module, kept: Mapping[str, Kept]) -> None:
        self.network = network
        self.kept = kept
        self.values: list[_Value] = []
        self.beside = 0

    def value(self, shape: Shape, *, needs_gradient: bool) -> _Value:
        """A new tensor."""
        self.values.append(_Value(prod(shape) * NUMBER, needs_gradient))
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
        module = self.network.get_submodule(planned.name)
        if isinstance(module, VIEWS):
            return value
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
        if isinstance(block, Branches) and block.join == "multiply":
            return self.multiplied(ends, [branch.output for branch in planned.branches])
        return self.joined(block.given(value, ends), planned.output)

    def joined(self, sources: Sequence[_Value], shape: Shape) -> _Value:
        """One tensor of several, none of which is kept for it."""
        if len(sources) == 1:
            return sources[0]
        needs_gradient = any(source.needs_gradient for source in sources)
        return self.value(shape, needs_gradient=needs_gradient)

    def multiplied(self, factors: Sequence[_Value], shapes: Sequence[Shape]) -> _Value:
        """The product of several, one after the other; the gradient of each needs the other."""
        product, shape = factors[0], shapes[0]
        for factor, its_shape in zip(factors[1:], shapes[1:], strict=True):
            product.is_kept |= factor.needs_gradient
            factor.is_kept |= product.needs_gradient
            shape = np.broadcast_shapes(shape, its_shape)
            needs_gradient = product.needs_gradient or factor.needs_gradient
            product = self.value(shape, needs_gradient=needs_gradient)
        return product
