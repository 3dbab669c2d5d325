"""Layers side by side, joined at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field
from torch import nn

from cnnctl.errors import config_fault
from cnnctl.model.block import Block, Branch, Scope
from cnnctl.model.blocks.chains import count_layers
from cnnctl.model.layer import Layer, Name, Shape, describe_shape
from cnnctl.model.modules import Branches as BranchesModule
from cnnctl.model.modules import Join

Ways = Annotated[list[list[Layer]], Field(min_length=2)]
NamedWays = Annotated[dict[Name, list[Layer]], Field(min_length=1)]


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
