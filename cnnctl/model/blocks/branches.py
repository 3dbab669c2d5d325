"""Layers side by side, joined at the end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field
from torch import nn

from cnnctl.config.bounds import PositiveInt
from cnnctl.errors import config_fault
from cnnctl.model.block import Block, Branch, Scope
from cnnctl.model.blocks.chains import count_layers
from cnnctl.model.layer import Layer, Name, Shape, describe_shape, spatial_dims
from cnnctl.model.layers.activations import Relu, Sigmoid
from cnnctl.model.layers.convolution import Conv
from cnnctl.model.layers.pooling import AdaptiveAvgPool
from cnnctl.model.modules import Branches as BranchesModule
from cnnctl.model.modules import Join

Ways = Annotated[list[list[Layer]], Field(min_length=2)]
NamedWays = Annotated[dict[Name, list[Layer]], Field(min_length=1)]


class Branches(Block, kind="branches", short="ways"):
    """Parallel chains of layers on the same input, whose outputs are joined."""

    ways: Ways | NamedWays
    """The chains, as a list or by name; an empty one passes the input on."""
    join: Join = "concatenate"
    """Concatenate channels, or add or multiply values; sides of 1 are broadcast."""

    @property
    def joining(self) -> Join:
        return self.join

    @property
    def names_its_branches(self) -> bool:
        return isinstance(self.ways, dict)

    def lay_out(self, input: Shape, scope: Scope) -> tuple[Branch, ...]:
        if isinstance(self.ways, dict):
            return tuple(
                scope.branch(layers, input, at=("ways", name), name=name)
                for name, layers in self.ways.items()
            )
        return tuple(
            scope.branch(layers, input, at=("ways", index), name=f"branch{index + 1}")
            for index, layers in enumerate(self.ways)
        )

    def joined(self, branches: Sequence[Branch]) -> Shape:
        shapes = [branch.output for branch in branches]
        if self.join == "concatenate" and len({shape[1:] for shape in shapes}) == 1:
            return (sum(shape[0] for shape in shapes), *shapes[0][1:])
        if self.join != "concatenate" and len({len(shape) for shape in shapes}) == 1:
            try:
                return np.broadcast_shapes(*shapes)  # torch's own imports sympy
            except ValueError:
                pass  # which is the fault below
        given = ", ".join(
            f"{branch.name} outputs {describe_shape(branch.output)}" for branch in branches
        )
        message = f"cannot {self.join} the branches: {given}"
        alike = "size" if self.join == "concatenate" else "shape"
        raise config_fault(
            message, hint=f"give all branches the same output {alike}", path=("ways",)
        )

    def combine(self, branches: Sequence[nn.Sequential]) -> nn.Module:
        names = self.ways if isinstance(self.ways, dict) else range(1, len(branches) + 1)
        labels = [name if isinstance(name, str) else f"branch{name}" for name in names]
        return BranchesModule(dict(zip(labels, branches, strict=True)), self.join)

    def layer_count(self) -> int:
        branches = self.ways.values() if isinstance(self.ways, dict) else self.ways
        return sum(map(count_layers, branches))


class SqueezeExcite(Block, kind="squeeze_excite", short="reduction"):
    """Scale each channel by a factor computed from the means of all channels (Hu et al. 2018)."""

    reduction: PositiveInt = 16
    """Reduction of channels between the two layers that compute the factors."""
    activation: Layer = Relu()
    """Activation between those layers."""
    scale_activation: Layer = Sigmoid()
    """Activation that outputs the factors."""

    def lay_out(self, input: Shape, scope: Scope) -> tuple[Branch, ...]:
        spatial_dims(input, kind=self.kind)
        if self.reduction > input[0]:
            message = f"{self.reduction} is more than the {input[0]} input channels"
            hint = f"use reduction <= {input[0]}"
            raise config_fault(message, hint=hint, path=("reduction",))
        fewer = input[0] // self.reduction
        steps = [AdaptiveAvgPool(name="avgpool", output_size=1), _linear("fc1", fewer)]
        squeeze = scope.branch(steps, input, at=(), name="scale")
        bend = scope.single_branch(
            self.activation, squeeze.output, at=("activation",), name="scale.activation"
        )
        excite = scope.branch([_linear("fc2", input[0])], bend.output, at=(), name="scale")
        scale = scope.single_branch(
            self.scale_activation,
            excite.output,
            at=("scale_activation",),
            name="scale.scale_activation",
        )
        return (Branch("input", (), input), squeeze, bend, excite, scale)

    def joined(self, branches: Sequence[Branch]) -> Shape:
        image, scale = branches[0].output, branches[-1].output
        if scale[0] == image[0] and set(scale[1:]) == {1}:
            return image
        message = f"outputs {describe_shape(scale)} as factors for {describe_shape(image)}"
        hint = "use an activation that keeps the shape, such as sigmoid"
        raise config_fault(message, hint=hint, path=("scale_activation",))

    def combine(self, branches: Sequence[nn.Sequential]) -> nn.Module:
        passed, squeeze, bend, excite, scale = branches
        steps = OrderedDict(
            [
                *squeeze.named_children(),
                ("activation", bend),
                *excite.named_children(),
                ("scale_activation", scale),
            ]
        )
        return BranchesModule({"input": passed, "scale": nn.Sequential(steps)}, self.joining)

    @property
    def joining(self) -> Join:
        return "multiply"

    def feeds(self, index: int, other: int) -> bool:
        return 0 < index == other - 1

    def layer_count(self) -> int:
        return 3 + count_layers([self.activation, self.scale_activation])


def _linear(name: str, channels: int) -> Conv:
    """A linear map of channels, at a single position."""
    return Conv(name=name, out_channels=channels, kernel_size=1)
