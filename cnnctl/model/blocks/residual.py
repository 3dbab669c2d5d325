"""Layers with a shortcut around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import nn

from cnnctl.errors import config_fault
from cnnctl.model.block import Block, Branch, Scope
from cnnctl.model.blocks.chains import Layers, count_layers
from cnnctl.model.layer import Layer, Shape, describe_shape
from cnnctl.model.layers.convolution import Conv
from cnnctl.model.layers.linear import Linear
from cnnctl.model.layers.normalization import BatchNorm
from cnnctl.model.layers.pooling import AvgPool
from cnnctl.model.layers.shape import PadChannels
from cnnctl.model.modules import Residual as ResidualModule


class Residual(Block, kind="residual", short="layers"):
    """Layers whose output is added to their input (He et al. 2015)."""

    layers: Layers
    """Layers that the shortcut bypasses."""
    shortcut: Literal["auto", "identity", "projection", "pad"] | list[Layer] = "auto"
    """The shortcut: identity, projection, pad (zeros) or layers; auto projects where needed."""
    activation: Layer | None = None
    """Activation after the addition."""

    def lay_out(self, input: Shape, scope: Scope) -> tuple[Branch, ...]:
        body = scope.branch(self.layers, input, at=("layers",))
        around = self._around(input, body.output)
        return (
            body,
            scope.branch(around, input, at=("shortcut",), name="shortcut"),
            scope.single_branch(
                self.activation, body.output, at=("activation",), name="activation"
            ),
        )

    def _around(self, input: Shape, output: Shape) -> list[Layer]:
        if isinstance(self.shortcut, list):
            return self.shortcut
        if self.shortcut == "identity" or (self.shortcut != "projection" and input == output):
            return []
        if len(input) == 1 and len(output) == 1 and self.shortcut != "pad":
            return [Linear(out_features=output[0], bias=False)]
        stride = _stride(input, output)
        if self.shortcut == "pad":
            _check_padded(input, output)
            return [AvgPool(kernel_size=1, stride=stride), PadChannels(channels=output[0])]
        conv = Conv(out_channels=output[0], kernel_size=1, stride=stride, bias=False)
        return [conv, BatchNorm()]

    def joined(self, branches: Sequence[Branch]) -> Shape:
        body, around, after = branches
        if body.output == around.output:
            return after.output
        shapes = describe_shape(around.output), describe_shape(body.output)
        message = f"the shortcut outputs {shapes[0]}, but the layers {shapes[1]}"
        hint = "use shortcut: projection, or layers with the same output shape"
        raise config_fault(message, hint=hint, path=("shortcut",))

    def combine(self, branches: Sequence[nn.Sequential]) -> nn.Module:
        return ResidualModule(*branches)

    def feeds(self, index: int, other: int) -> bool:
        return other == 2

    def layer_count(self) -> int:
        around = self.shortcut if isinstance(self.shortcut, list) else []
        return count_layers(self.layers) + count_layers(around)


def _check_padded(input: Shape, output: Shape) -> None:
    """Check that zero channels can make the shortcut's shape that of the layers."""
    if output[0] < input[0]:
        message = f"pad cannot turn {describe_shape(input)} into {describe_shape(output)}"
        hint = "use shortcut: projection, or layers with at least as many output channels"
        raise config_fault(message, hint=hint, path=("shortcut",))


def _stride(input: Shape, output: Shape) -> int | tuple[int, ...]:
    """The stride of a 1x1 convolution that maps the input's sides to the output's.

    Raises:
        FaultError: there is none.
    """
    sides = list(zip(input[1:], output[1:], strict=False))
    strides = tuple(-(-before // after) for before, after in sides)
    fits = len(input) == len(output) > 1 and all(
        -(-before // step) == after for (before, after), step in zip(sides, strides, strict=True)
    )
    if not fits:
        message = f"no stride turns {describe_shape(input)} into {describe_shape(output)}"
        hint = "pad the layers to keep the size, or list the shortcut's layers"
        raise config_fault(message, hint=hint, path=("shortcut",))
    return strides[0] if len(set(strides)) == 1 else strides
