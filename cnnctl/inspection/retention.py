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

from torch import nn

from cnnctl.inspection.cost import CONVOLUTIONS, NUMBER, VIEWS
from cnnctl.model.block import Block, Stage
from cnnctl.model.blocks import Branches
from cnnctl.model.layer import Shape
from cnnctl.model.modules import ChannelNorm, GlobalAvgPool, GlobalMaxPool, Maxout, PadChannels

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
_COPIES = (nn.Softsign, nn.LogSigmoid, nn.RMSNorm)
"""Keep something as large as their input, beside it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What one layer keeps, if gradients are asked for."""

    input: bool
    output: bool
    beside: int = 0
    """Bytes for one sample of what is neither."""


def kept_by(module: nn.Module, input: Shape, output: Shape) -> Kept:
    """What a module keeps; of one that is not known, its input."""
    keeps_output = isinstance(module, (*_OUTPUT_ONLY, GlobalMaxPool, Maxout))
    return Kept(_keeps_input(module, output), keeps_output, _beside(module, input, output))


def _keeps_input(module: nn.Module, output: Shape) -> bool:
    if isinstance(module, _AVERAGES):
        return max(output[1:]) > 1  # of a single window it takes the mean, which needs nothing
    if isinstance(module, CONVOLUTIONS):
        return module.padding_mode != "circular"
    is_stochastic_depth = type(module).__module__ == "torchvision.ops.stochastic_depth"
    return not (isinstance(module, (*_NOTHING, *_OUTPUT_ONLY)) or is_stochastic_depth)


def _beside(module: nn.Module, input: Shape, output: Shape) -> int:
    if isinstance(module, _MAXIMA):
        return prod(output) * _POSITION
    if isinstance(module, (*_MASKS, *_COPIES)):
        return prod(input) * NUMBER
    if isinstance(module, ChannelNorm):  # a mean and a deviation at each position
        return 2 * prod(input[1:]) * NUMBER
    if isinstance(module, nn.LocalResponseNorm):  # squares, with channels added, and two powers
        return (3 * input[0] + module.size - 1) * prod(input[1:]) * NUMBER
    if isinstance(module, CONVOLUTIONS) and module.padding_mode != "zeros":
        ends = zip(module._reversed_padding_repeated_twice[::2][::-1], input[1:], strict=True)
        return input[0] * prod(side + 2 * pad for pad, side in ends) * NUMBER
    return 0


def kept_bytes(
    stages: Sequence[Stage], input: Shape, *, network: nn.Module, kept: Mapping[str, Kept]
) -> int:
    """Bytes that a forward pass of one sample keeps.

    Args:
        network: its modules, on whatever device; what of it is frozen needs no gradients.
        kept: what each layer keeps, by name.
    """
    keeping = _Keeping(network, kept)
    keeping.chain(stages, keeping.value(input, needs_gradient=False))
    return keeping.beside + sum(value.size for value in keeping.values if value.is_kept)


@dataclass(slots=True)
class _Value:
    """A tensor between layers."""

    size: int
    """Bytes for one sample."""
    needs_gradient: bool
    is_kept: bool = False


class _Keeping:
    """Follows the tensors through the tree of stages."""

    def __init__(self, network: nn.Module, kept: Mapping[str, Kept]) -> None:
        self.network = network
        self.kept = kept
        self.values: list[_Value] = []
        self.beside = 0

    def value(self, shape: Shape, *, needs_gradient: bool) -> _Value:
        """A new tensor."""
        self.values.append(_Value(prod(shape) * NUMBER, needs_gradient))
        return self.values[-1]

    def chain(self, stages: Sequence[Stage], value: _Value) -> _Value:
        """What comes out of stages one after the other."""
        for stage in stages:
            if isinstance(stage.layer, Block):
                value = self.block(stage, stage.layer, value)
            else:
                value = self.layer(stage, value)
        return value

    def layer(self, stage: Stage, value: _Value) -> _Value:
        """What comes out of a layer; it marks what it keeps."""
        module = self.network.get_submodule(stage.name)
        if isinstance(module, VIEWS):
            return value
        learns = any(weight.requires_grad for weight in module.parameters())
        output = self.value(stage.output, needs_gradient=learns or value.needs_gradient)
        if output.needs_gradient:
            kept = self.kept[stage.name]
            # a product keeps its input for the gradient of its weight alone
            is_used = not isinstance(module, nn.Linear) or module.weight.requires_grad
            value.is_kept |= kept.input and is_used
            output.is_kept |= kept.output
            self.beside += kept.beside
        return output

    def block(self, stage: Stage, block: Block, value: _Value) -> _Value:
        """What comes out of a block; ways that meet make a new tensor, which keeps none of them."""
        ends: list[_Value] = []
        for index, way in enumerate(stage.ways):
            feeding = [ends[n] for n in range(index) if block.feeds(n, index)]
            sources = [value, *feeding] if block.keeps_all else feeding or [value]
            ends.append(self.chain(way.stages, self.joined(sources, way.input)))
        if block.is_aside:
            return value
        if isinstance(block, Branches) and block.join == "multiply":
            self.multiplied(ends)
        last = range(len(ends))
        fed = {n for n in last for m in last if n < m and block.feeds(n, m)}
        sources = [value, *ends] if block.keeps_all else [ends[n] for n in last if n not in fed]
        return self.joined(sources, stage.output)

    def joined(self, sources: Sequence[_Value], shape: Shape) -> _Value:
        """One tensor of several."""
        if len(sources) == 1:
            return sources[0]
        needs_gradient = any(source.needs_gradient for source in sources)
        return self.value(shape, needs_gradient=needs_gradient)

    def multiplied(self, factors: Sequence[_Value]) -> None:
        """The gradient of each factor needs the others, and the products of those before them."""
        if any(factor.needs_gradient for factor in factors):
            for factor in factors:
                factor.is_kept = True
            self.beside += max(factor.size for factor in factors) * (len(factors) - 2)
