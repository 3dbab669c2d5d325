"""Advice on layers, and on layers side by side."""

from __future__ import annotations

from math import prod

from cnnctl.advice.check import Advice, Check
from cnnctl.advice.facts import Facts
from cnnctl.errors import Fault
from cnnctl.model.block import Block
from cnnctl.model.layer import Layer, WeightedLayer
from cnnctl.model.network import PlannedLayer

HEAVY_DROPOUT = 0.9
"""MNIST, two epochs of Adam: an MLP 512 reaches 95.6 % with 0.8, 94.2 with 0.9, 91.5 with 0.95; an
MLP 100-100 90.1 with 0.7, 55.1 with 0.8, 11.4 with 0.9."""
LARGE_DENSE = 5_000_000
"""Weights of a first dense layer on an image; a ResNet-18 has 11.7 million in all."""


class BiasBeforeNorm(Check):
    """A bias that the norm behind it takes away."""

    def find(self, facts: Facts) -> Advice:
        for planned, after in facts.plan.graph.neighbours():
            has_bias = isinstance(planned.layer, WeightedLayer) and planned.layer.bias
            if has_bias and after.layer.centers_channels:
                message = (
                    f"{after.name} subtracts the mean, which cancels the bias of {planned.name}"
                )
                path = (*planned.path, "bias")
                yield Fault(message=message, hint="add bias: false", path=path)


class DropoutBeforeNorm(Check):
    """Dropout before batch norm (Li et al. 2018, https://arxiv.org/abs/1801.05134)."""

    def find(self, facts: Facts) -> Advice:
        for planned, after in facts.plan.graph.neighbours():
            if planned.layer.is_dropout and after.layer.mixes_samples:
                message = (
                    f"{after.name} measures the variance that {planned.name} adds in training only"
                )
                yield Fault(message=message, hint="put dropout after the norm", path=planned.path)


class NoActivationBetween(Check):
    """Two dense layers that are one, as nothing bends between them."""

    def find(self, facts: Facts) -> Advice:
        nearest: dict[str, PlannedLayer] = {}  # before each layer, past linear ones without weights
        for planned, after in facts.plan.graph.neighbours():
            is_passed = planned.layer.is_linear and not isinstance(planned.layer, WeightedLayer)
            before = nearest.get(planned.name, planned) if is_passed else planned
            nearest[after.name] = before
            if _is_dense(before) and _is_dense(after):
                message = f"no activation between {before.name} and {after.name}: "
                message += "together they are one linear layer"
                yield Fault(message=message, hint="add relu between them", path=after.path)


def _is_dense(planned: PlannedLayer) -> bool:
    return isinstance(planned.layer, WeightedLayer) and planned.layer.is_dense


class ActivationTwice(Check):
    """An activation behind an activation."""

    def find(self, facts: Facts) -> Advice:
        for planned, after in facts.plan.graph.neighbours():
            if planned.layer.acts_as and after.layer.acts_as:
                message = f"two activations in a row: {planned.name} and {after.name}"
                yield Fault(message=message, hint="leave one of them out", path=after.path)


class SoftmaxBetween(Check):
    """Softmax between layers, which leaves them shares of 1 and gradients that almost cancel.

    MNIST, MLP with 100 units, an epoch: SGD reaches 36.7 % instead of 95.9, Adam 85.3.
    """

    def find(self, facts: Facts) -> Advice:
        graph = facts.plan.graph
        for number, node in enumerate(graph.nodes):
            is_gate = any(_multiplies(block.layer) for block in node.blocks)
            if node.planned is None or is_gate or not shares_out(node.planned.layer):
                continue
            if behind := graph.next_weighted(number):
                message = f"{node.planned.name} makes all inputs of {behind[0].name} add up to 1: "
                message += "on MNIST, 37% instead of 96%"
                yield Fault(message=message, hint="use relu instead", path=node.planned.path)


def _multiplies(layer: Layer) -> bool:
    return isinstance(layer, Block) and layer.joining == "multiply"


def shares_out(layer: Layer) -> bool:
    """Whether the outputs of a layer are shares of 1, or their logarithms."""
    is_share = layer.gives in ("probabilities", "log_probabilities")
    return is_share and layer.acts_as != "sigmoid"


class HeavyDropout(Check):
    """Dropout that leaves a layer next to nothing; papers use 0.1 to 0.5, or 0.8 at most
    (Srivastava et al. 2014, figure 9)."""

    def find(self, facts: Facts) -> Advice:
        for planned in facts.plan.leaves():
            dropped = planned.layer.dropped
            if dropped >= HEAVY_DROPOUT:
                message = f"{planned.name} zeroes {dropped:.0%} of its input in training: "
                message += "on MNIST, two such layers of 100 units reached 11% instead of 96%"
                path = (*planned.path, "p")
                yield Fault(message=message, hint="use 0.2 to 0.5", path=path)


class StrideBeyondKernel(Check):
    """Windows that leave pixels out, which no output sees.

    1x1 windows in blocks do so on purpose, as in ResNet's shortcuts. MNIST, a convolution of 16
    channels, an epoch: windows of 3 that move by 3, 4 reach 96.0 and 95.0 %, those of 2 that move
    by 4, 6 92.8 and 82.8.
    """

    def find(self, facts: Facts) -> Advice:
        for planned in facts.plan.leaves():
            if len(planned.input) != len(planned.output):
                continue
            for span in planned.layer.window(planned.input, planned.output) or ():
                if span is None or len(span.bounds) > 1 or span.size >= span.advance:
                    continue
                if span.size == 1 and planned.scope:
                    continue
                message = f"{planned.name} moves by {span.advance} pixels, but its windows cover "
                message += f"{span.size}: pixels between them are never seen; on MNIST, windows of "
                message += "2 that move by 6 cost 13% of accuracy"
                hint = f"use a stride <= {span.size}, or a larger kernel_size"
                yield Fault(message=message, hint=hint, path=(*planned.path, "stride"))
                break


class DenseOnLargeImage(Check):
    """A first layer that gives every pixel of a large image a weight for every unit."""

    def find(self, facts: Facts) -> Advice:
        if len(facts.plan.input) == 1:
            return
        for planned in facts.plan.graph.next_weighted(0):
            weights = prod(planned.input) * prod(planned.output)
            if len(planned.input) == 1 and weights >= LARGE_DENSE and facts.learns(planned):
                message = f"{planned.name} connects {planned.input[0]:,} values to "
                message += f"{planned.output[0]:,} units: {weights:,} weights, none of which "
                message += "is shared between places, as those of convolutions are"
                hint = "put conv and max_pool before it, or reduce data.size"
                yield Fault(message=message, hint=hint, path=planned.path)
