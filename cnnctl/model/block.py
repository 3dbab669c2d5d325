"""Layers that contain layers, and a network as a tree of planned layers.

A planned layer is a layer at its position, with its input and output shapes. A block has branches,
which are chains of layers that it runs in sequence or in parallel, and joins. The tree is planned
from shapes alone; the same tree is then assembled from modules.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from torch import nn

from cnnctl.errors import ConfigPath, Fault, FaultError, below
from cnnctl.model.inference import bounded, infer_output
from cnnctl.model.layer import Layer, Shape
from cnnctl.model.modules import Join

Fact = TypeVar("Fact")
"""A fact that is propagated through a network: a tensor's memory, a receptive field."""


@dataclass(frozen=True, slots=True)
class PlannedLayer:
    """A layer at its position: name, input shape and output shape."""

    name: str
    """Full name in the network: `conv1`, `residual1.conv1`."""
    layer: Layer
    path: ConfigPath
    input: Shape
    output: Shape
    branches: tuple[Branch, ...] = ()
    """Its branches, if it is a block."""

    @property
    def scope(self) -> str:
        """The prefix that its name shares with its neighbours in a chain."""
        return self.name.rpartition(".")[0]

    @property
    def short_name(self) -> str:
        """Its name without that prefix."""
        return self.name.rpartition(".")[2]

    def nested(self, blocks: Blocks = ()) -> Iterator[tuple[PlannedLayer, Blocks]]:
        """This layer and everything in it, each with its enclosing blocks.

        A block precedes its layers.
        """
        yield self, blocks
        for branch in self.branches:
            for planned in branch.layers:
                yield from planned.nested((*blocks, self))

    def leaves(self) -> Iterator[PlannedLayer]:
        """The leaf layers in it, in execution order."""
        return (planned for planned, _ in self.nested() if not isinstance(planned.layer, Block))


Blocks = tuple[PlannedLayer, ...]
"""Enclosing blocks, from the outermost to the innermost."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A chain of layers within a block; an empty one passes its input on."""

    name: str
    """Name of the module with the chain; empty if its layers are the block's own children."""
    layers: tuple[PlannedLayer, ...]
    input: Shape

    @property
    def output(self) -> Shape:
        """Output shape for one sample."""
        return self.layers[-1].output if self.layers else self.input


@dataclass(frozen=True, slots=True)
class Scope:
    """The position of a block: the prefix of its names and the path of its options."""

    name: str
    path: ConfigPath

    def branch(
        self, layers: Sequence[Layer], input: Shape, *, at: ConfigPath, name: str = ""
    ) -> Branch:
        """Plan a chain: the layers in option `at` of the block.

        Raises:
            FaultError: names that are taken, or the first layer that does not fit its input;
                paths are relative to the block.
        """
        with below(*at):
            return Branch(name, plan_layers(layers, input, self._inside(at, name)), input)

    def single_branch(
        self, layer: Layer | None, input: Shape, *, at: ConfigPath, name: str
    ) -> Branch:
        """Plan the single layer in option `at` of the block; without one, an empty branch.

        Raises:
            FaultError: it does not fit its input; the path is relative to the block.
        """
        if layer is None:
            return Branch(name, (), input)
        at = (*at, layer.kind)
        with below(*at):
            own_name = layer.name or f"{layer.kind}1"
            planned = plan_layer(layer, input, self._inside(at, name), name=own_name)
        return Branch(name, (planned,), input)

    def _inside(self, at: ConfigPath, name: str) -> Scope:
        return Scope(".".join(filter(None, (self.name, name))), (*self.path, *at))


class Block(Layer):
    """A layer made of layers. A kind plans its branches and joins them."""

    keeps_all: ClassVar[bool] = False
    """Whether its output contains its input and the outputs of all branches."""
    is_aside: ClassVar[bool] = False
    """Whether it passes its input on, and the outputs of its branches go elsewhere."""

    @abstractmethod
    def lay_out(self, input: Shape, scope: Scope) -> tuple[Branch, ...]:
        """Plan the layers in it.

        Raises:
            FaultError: a layer does not fit its input; paths are relative to the block.
        """

    @abstractmethod
    def joined(self, branches: Sequence[Branch]) -> Shape:
        """The output shape of the joined branches.

        Raises:
            FaultError: they cannot be joined; paths are relative to the block.
        """

    @abstractmethod
    def combine(self, branches: Sequence[nn.Sequential]) -> nn.Module:
        """Make one module of the branches' modules, which are in the order of `lay_out`."""

    @property
    def joining(self) -> Join:
        """How the outputs of its branches are joined."""
        return "concatenate" if self.keeps_all else "add"

    @property
    def names_its_branches(self) -> bool:
        """Whether the user has named its branches."""
        return False

    def feeds(self, index: int, other: int) -> bool:
        """Whether branch `other` takes the output of branch `index`, not the block's input."""
        return False

    def taken(self, index: int, input: Fact, outputs: Sequence[Fact]) -> list[Fact]:
        """The facts of the inputs of branch `index`, several if tensors are joined before it.

        Args:
            input: the fact of the block's input.
            outputs: the fact of the output of each earlier branch.
        """
        feeding = [output for n, output in enumerate(outputs[:index]) if self.feeds(n, index)]
        return [input, *feeding] if self.keeps_all else feeding or [input]

    def given(self, input: Fact, outputs: Sequence[Fact]) -> list[Fact]:
        """The facts that the block's output is joined from: its input or branch outputs."""
        if self.is_aside:
            return [input]
        if self.keeps_all:
            return [input, *outputs]
        branches = range(len(outputs))
        return [
            outputs[n] for n in branches if not any(self.feeds(n, m) for m in branches[n + 1 :])
        ]

    def build(self, input: Shape) -> nn.Module:
        return assemble(plan_layer(self, input, Scope("", ()), name=""))


def plan_layers(layers: Sequence[Layer], input: Shape, scope: Scope) -> tuple[PlannedLayer, ...]:
    """Plan layers in sequence, each with the output of the previous one as its input.

    Raises:
        FaultError: names that are taken, or the first layer that does not fit; paths are relative
            to the list of layers.
    """
    chain: list[PlannedLayer] = []
    shape = input
    for index, (name, layer) in enumerate(zip(_names(layers), layers, strict=True)):
        place = Scope(scope.name, (*scope.path, index, layer.kind))
        with below(index, layer.kind):
            chain.append(plan_layer(layer, shape, place, name=name))
        shape = chain[-1].output
    return tuple(chain)


def plan_layer(layer: Layer, input: Shape, scope: Scope, *, name: str) -> PlannedLayer:
    """Plan one layer and everything in it.

    Raises:
        FaultError: it does not fit its input; paths are relative to the layer.
    """
    whole = ".".join(filter(None, (scope.name, name)))
    if not isinstance(layer, Block):
        return PlannedLayer(whole, layer, scope.path, input, infer_output(layer, input))
    branches = layer.lay_out(input, Scope(whole, scope.path))
    return PlannedLayer(whole, layer, scope.path, input, bounded(layer.joined(branches)), branches)


def _names(layers: Sequence[Layer]) -> list[str]:
    """Each layer's own name, or its kind with a number; duplicates are a fault."""
    counts: Counter[str] = Counter()
    names: list[str] = []
    for layer in layers:
        counts[layer.kind] += 1
        names.append(layer.name or f"{layer.kind}{counts[layer.kind]}")
    taken = Counter(names)
    faults = [
        Fault(
            message=f"another layer is already named {layer.name}",
            hint="give each layer its own name",
            path=(index, layer.kind, "name"),
        )
        for index, layer in enumerate(layers)
        if layer.name and taken[layer.name] > 1
    ]
    if faults:
        raise FaultError(*faults)
    return names


def assemble(planned: PlannedLayer) -> nn.Module:
    """Build the module of a planned layer and everything in it."""
    if not isinstance(planned.layer, Block):
        return planned.layer.build(planned.input)
    return planned.layer.combine([chain(branch.layers) for branch in planned.branches])


def chain(layers: Sequence[PlannedLayer]) -> nn.Sequential:
    """Build the modules of layers in sequence."""
    return nn.Sequential(OrderedDict((planned.short_name, assemble(planned)) for planned in layers))
