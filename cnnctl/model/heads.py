"""Heads on a shared trunk, and auxiliary classifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field
from torch import nn

from cnnctl.config.choice import Spec
from cnnctl.errors import below, config_fault
from cnnctl.model import modules
from cnnctl.model.block import Block, Branch, PlannedLayer, Scope
from cnnctl.model.blocks.branches import Branches
from cnnctl.model.blocks.chains import Layers, count_layers
from cnnctl.model.layer import Name, Shape, describe_shape

HEADS = "heads"
"""Name of the block that contains the heads, in the state dict and the summary."""


class Head(Spec):
    """Layers that compute one output from that of the trunk."""

    layers: Layers
    """Layers of the head; `classes` is the number of outputs for its target."""


class Auxiliary(Block, kind="auxiliary", short="layers"):
    """A classifier in the middle of a network, in training only (Szegedy et al. 2014)."""

    is_aside = True

    layers: Layers
    """Layers of the classifier; the network continues from their input."""
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.3
    """Weight of its loss in the total loss."""
    head: Name | None = None
    """Head whose target and loss it shares (default: the first)."""

    def lay_out(self, input: Shape, scope: Scope) -> tuple[Branch, ...]:
        return (scope.branch(self.layers, input, at=("layers",)),)

    def joined(self, branches: Sequence[Branch]) -> Shape:
        if len(branches[0].output) != 1:
            message = f"outputs {describe_shape(branches[0].output)}, not a vector"
            raise config_fault(message, hint="end it with linear: classes", path=("layers",))
        return branches[0].input

    def combine(self, branches: Sequence[nn.Sequential]) -> nn.Module:
        return modules.Auxiliary(branches[0])

    def layer_count(self) -> int:
        return count_layers(self.layers)


def plan_heads(
    heads: Mapping[str, Head], input: Shape, *, outputs: Mapping[str, int]
) -> PlannedLayer:
    """Plan the heads in parallel on the output of the trunk.

    Args:
        outputs: the number of `classes` in each head.

    Raises:
        FaultError: a head does not fit the output of the trunk, or does not output a vector;
            paths are those of the experiment.
    """
    scope = Scope(HEADS, ("model", HEADS))
    layers = {
        name: [layer.with_classes(outputs[name]) for layer in head.layers]
        for name, head in heads.items()
    }
    with below(*scope.path):
        branches = tuple(
            scope.branch(chain, input, at=(name, "layers"), name=name)
            for name, chain in layers.items()
        )
    for branch in branches:
        if len(branch.output) != 1:
            message = f"outputs {describe_shape(branch.output)}, not a vector"
            raise config_fault(
                message, hint="end it with linear: classes", path=(*scope.path, branch.name)
            )
    block = Branches(ways=layers, name=HEADS)
    return PlannedLayer(HEADS, block, scope.path, input, block.joined(branches), branches)
