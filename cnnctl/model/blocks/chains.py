"""Blocks whose layers run in sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import nn

from cnnctl.errors import config_fault
from cnnctl.model.block import Block, Branch, Scope
from cnnctl.model.layer import Layer, Shape, describe_shape
from cnnctl.model.modules import Dense as DenseModule

Layers = Annotated[list[Layer], Field(min_length=1)]
Times = Annotated[int, Field(gt=0, le=1000)]


def count_layers(layers: Sequence[Layer]) -> int:
    """The number of these layers, including nested ones."""
    return sum(layer.layer_count() for layer in layers)


class Group(Block, kind="sequence", short="layers"):
    """A sequence of layers, as one named layer."""

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
    """Repeated layers, each repetition with its own weights."""

    times: Times
    """Number of repetitions."""
    layers: Layers
    """Layers of one repetition."""

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

    def layer_count(self) -> int:
        return self.times * count_layers(self.layers)


class Dense(Block, kind="dense"):
    """Layers that each take the input and the outputs of all before them (Huang et al. 2016)."""

    keeps_all = True

    layers: Layers
    """The layers; each appends its output as channels. Use sequence to group several."""
    times: Times = 1
    """Number of repetitions."""

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
            message = f"outputs {describe_shape(branch.output)}, which cannot be joined with "
            hint = "keep the size: use padding, and no stride"
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

    def layer_count(self) -> int:
        return self.times * count_layers(self.layers)
