"""The blocks: layer kinds that hold layers. A new block is one class here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from torch import nn

from cnnctl.errors import config_fault
from cnnctl.model.block import Block, Branch, PlannedLayer, Scope
from cnnctl.model.layer import Layer, Name, Shape, describe_shape
from cnnctl.model.layers.convolution import Conv
from cnnctl.model.layers.linear import Linear
from cnnctl.model.layers.normalization import BatchNorm
from cnnctl.model.layers.pooling import AvgPool
from cnnctl.model.layers.shape import PadChannels
from cnnctl.model.modules import Branches as BranchesModule
from cnnctl.model.modules import Dense as DenseModule
from cnnctl.model.modules import Join
from cnnctl.model.modules import Residual as ResidualModule

Layers = Annotated[list[Layer], Field(min_length=1)]
Times = Annotated[int, Field(gt=0, le=1000)]
Ways = Annotated[list[list[Layer]], Field(min_length=2)]
NamedWays = Annotated[dict[Name, list[Layer]], Field(min_length=1)]


def count_layers(layers: Sequence[Layer]) -> int:
    """How many layers these are, with all in them."""
    return sum(layer.layer_count() for layer in layers)


def _later(index: int, branches: Sequence[Branch]) -> tuple[PlannedLayer, ...]:
    return tuple(planned for branch in branches[index + 1 :] for planned in branch.layers)


class Group(Block, kind="sequence", short="layers"):
    """Layers one after the other, as one layer with a name."""

    layers: Layers
    """The layers, from its input to its output."""

    def lay_out(self, input: Shape, scope: Scope) -> tuple[Branch, ...]:
        return (scope.branch(self.layers, input, at=("layers",)),)

    def joined(self, branches: Sequence[Branch]) -> Shape:
        return branches[0].output

    def combine(self, branches: Sequence[nn.Sequential]) -> nn.Module:
        return branches[0]

    def layer_count(self) -> int:
        return count_layers(self.layers)


class Repeat(Block, kind="repeat"):
    """Layers several times over, each time with weights of its own."""

    times: Times
    """How many times."""
    layers: Layers
    """The layers of one time."""

    def lay_out(self, input: Shape, scope: Scope) -> tuple[Branch, ...]:
        branches: list[Branch] = []
        shape = input
        for number in range(self.times):
            branches.append(scope.branch(self.layers, shape, at=("layers",), name=str(number + 1)))
            shape = branches[-1].output
        return tuple(branches)

    def joined(self, branches: Sequence[Branch]) -> Shape:
        return branches[-1].output

    def combine(self, branches: Sequence[nn.Sequential]) -> nn.Module:
        module = nn.Sequential()
        for number, branch in enumerate(branches):
            module.add_module(str(number + 1), branch)
        return module

    def feeds(self, index: int, other: int) -> bool:
        return other == index + 1

    def behind(self, index: int, branches: Sequence[Branch]) -> tuple[PlannedLayer, ...]:
        return _later(index, branches)

    def layer_count(self) -> int:
        return self.times * count_layers(self.layers)


class Residual(Block, kind="residual", short="layers"):
    """Layers whose output is added to their input (He et al. 2015)."""

    layers: Layers
    """The layers that the shortcut goes around."""
    shortcut: Literal["auto", "identity", "projection", "pad"] | list[Layer] = "auto"
    """The shortcut: identity, projection, pad (zeros) or layers; auto projects where needed."""
    activation: Layer | None = None
    """What follows the addition."""

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
        message = f"the shortcut gives {shapes[0]}, the layers {shapes[1]}"
        hint = "use shortcut: projection, or layers that give the same shape"
        raise config_fault(message, hint=hint, path=("shortcut",))

    def combine(self, branches: Sequence[nn.Sequential]) -> nn.Module:
        return ResidualModule(*branches)

    def feeds(self, index: int, other: int) -> bool:
        return other == 2

    def behind(self, index: int, branches: Sequence[Branch]) -> tuple[PlannedLayer, ...]:
        return branches[2].layers if index < 2 else ()

    def layer_count(self) -> int:
        around = self.shortcut if isinstance(self.shortcut, list) else []
        return count_layers(self.layers) + count_layers(around)


def _check_padded(input: Shape, output: Shape) -> None:
    """Zeros can only be added to channels."""
    if output[0] < input[0]:
        message = f"no zeros make {describe_shape(output)} of {describe_shape(input)}"
        hint = "use shortcut: projection, or layers that give as many channels"
        raise config_fault(message, hint=hint, path=("shortcut",))


def _stride(input: Shape, output: Shape) -> int | tuple[int, ...]:
    """The stride with which windows of one pixel make the output's sides of the input's.

    Raises:
        FaultError: there is none.
    """
    sides = list(zip(input[1:], output[1:], strict=False))
    strides = tuple(-(-before // after) for before, after in sides)
    fits = len(input) == len(output) > 1 and all(
        -(-before // step) == after for (before, after), step in zip(sides, strides, strict=True)
    )
    if not fits:
        message = f"no shortcut makes {describe_shape(output)} of {describe_shape(input)}"
        hint = "pad the layers so that they keep the size, or give the shortcut's layers"
        raise config_fault(message, hint=hint, path=("shortcut",))
    return strides[0] if len(set(strides)) == 1 else strides


class Branches(Block, kind="branches", short="ways"):
    """Chains of layers side by side, which all get the input; what comes out is joined."""

    ways: Ways | NamedWays
    """The chains, as a list or by name; an empty one passes the input on."""
    join: Join = "concatenate"
    """Along the channels, or value by value; a side of 1 is stretched to the other's."""

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
                return np.broadcast_shapes(*shapes)  # torch's own loads sympy
            except ValueError:
                pass  # which is the fault below
        given = ", ".join(
            f"{branch.name} gives {describe_shape(branch.output)}" for branch in branches
        )
        message = f"the branches cannot be joined by {self.join}: {given}"
        alike = "sides" if self.join == "concatenate" else "channels and sides"
        raise config_fault(message, hint=f"give all branches the same {alike}", path=("ways",))

    def combine(self, branches: Sequence[nn.Sequential]) -> nn.Module:
        names = self.ways if isinstance(self.ways, dict) else range(1, len(branches) + 1)
        labels = [name if isinstance(name, str) else f"branch{name}" for name in names]
        return BranchesModule(dict(zip(labels, branches, strict=True)), self.join)

    def layer_count(self) -> int:
        branches = self.ways.values() if isinstance(self.ways, dict) else self.ways
        return sum(map(count_layers, branches))


class Dense(Block, kind="dense"):
    """Layers that each see the input and what all before them have made (Huang et al. 2016)."""

    keeps_all = True

    layers: Layers
    """The layers; what each makes is added as channels. Use sequence for one of several."""
    times: Times = 1
    """How many times over."""

    def lay_out(self, input: Shape, scope: Scope) -> tuple[Branch, ...]:
        branches: list[Branch] = []
        seen = input
        for number in range(self.times * len(self.layers)):
            index = number % len(self.layers)
            at, name = ("layers", index), str(number + 1)
            branch = scope.single_branch(self.layers[index], seen, at=at, name=name)
            self._check(branch, index)
            branches.append(branch)
            seen = (seen[0] + branch.output[0], *seen[1:])
        return tuple(branches)

    def feeds(self, index: int, other: int) -> bool:
        return index < other

    def _check(self, branch: Branch, index: int) -> None:
        if branch.output[1:] != branch.input[1:]:
            message = f"it gives {describe_shape(branch.output)}, which cannot be added to "
            hint = "keep the size, by padding and without a stride"
            path = ("layers", index)
            raise config_fault(message + describe_shape(branch.input), hint=hint, path=path)

    def joined(self, branches: Sequence[Branch]) -> Shape:
        last = branches[-1]
        return (last.input[0] + last.output[0], *last.output[1:])

    def combine(self, branches: Sequence[nn.Sequential]) -> nn.Module:
        module = DenseModule()
        for number, branch in enumerate(branches):
            module.add_module(str(number + 1), branch)
        return module

    def behind(self, index: int, branches: Sequence[Branch]) -> tuple[PlannedLayer, ...]:
        return _later(index, branches)

    def layer_count(self) -> int:
        return self.times * count_layers(self.layers)
