"""Layers that hold layers, and a network as a tree of planned layers.

A planned layer is a layer in its place, with its input and output shapes. A block has branches:
chains of layers that it runs one after the other or side by side, and joins. The tree is planned
from shapes alone; the same tree is then assembled from modules.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar, TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnctl.errors import ConfigPath, Fault, FaultError, below, config_fault
from cnnctl.model.layer import Layer, Shape, describe_shape
from cnnctl.model.modules import Join

MAX_VALUES = 10**12
"""Weights of one layer, and values that it gives for one sample: 4 TB of float32.

Products of a few such numbers still fit 64 bits.
"""

Fact = TypeVar("Fact")
"""Whatever is followed through a network, layer by layer: a tensor's memory, a receptive field."""


@dataclass(frozen=True, slots=True)
class PlannedLayer:
    """A layer in its place: its name, what it gets and what comes out."""

    name: str
    """Its name in the whole network: `conv1`, `residual1.conv1`."""
    layer: Layer
    path: ConfigPath
    input: Shape
    output: Shape
    branches: tuple[Branch, ...] = ()
    """What is in it, if it is a block."""

    @property
    def short_name(self) -> str:
        """Its name among its neighbours."""
        return self.name.rpartition(".")[2]

    def leaves(self) -> Iterator[PlannedLayer]:
        """The layers in it that hold no others, in the order in which they run."""
        if not isinstance(self.layer, Block):
            yield self
        for branch in self.branches:
            yield from branch.leaves()


@dataclass(frozen=True, slots=True)
class Branch:
    """A chain of layers within a block; an empty one passes its input on."""

    name: str
    """Of the module that holds the chain; empty where its layers are the block's own children."""
    layers: tuple[PlannedLayer, ...]
    input: Shape

    @property
    def output(self) -> Shape:
        """The shape of what comes out for one sample."""
        return self.layers[-1].output if self.layers else self.input

    def leaves(self) -> Iterator[PlannedLayer]:
        """The layers in it that hold no others."""
        for planned in self.layers:
            yield from planned.leaves()


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a block stands: the prefix of the names in it, and the path of its options."""

    name: str
    path: ConfigPath

    def branch(
        self, layers: Sequence[Layer], input: Shape, *, at: ConfigPath, name: str = ""
    ) -> Branch:
        """Plan a chain: layers that stand at the option `at` of the block.

        Raises:
            FaultError: names that are taken, or the first layer that does not fit what it gets;
                paths are below the block.
        """
        with below(*at):
            return Branch(name, plan_layers(layers, input, self._inside(at, name)), input)

    def single_branch(
        self, layer: Layer | None, input: Shape, *, at: ConfigPath, name: str
    ) -> Branch:
        """Plan the one layer that stands at the option `at` of the block; without it, nothing.

        Raises:
            FaultError: it does not fit what it gets; the path is below the block.
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
    """A layer made of layers. A member plans its branches and joins them."""

    keeps_all: ClassVar[bool] = False
    """Whether its input, and what every branch gives, are part of what comes out."""
    is_aside: ClassVar[bool] = False
    """Whether it passes its input on as it is, and what its branches give goes elsewhere."""

    @abstractmethod
    def lay_out(self, input: Shape, scope: Scope) -> tuple[Branch, ...]:
        """Plan the layers in it.

        Raises:
            FaultError: a layer does not fit what it gets; paths are below the block.
        """

    @abstractmethod
    def joined(self, branches: Sequence[Branch]) -> Shape:
        """The shape that comes out of the branches together.

        Raises:
            FaultError: they cannot be joined; paths are below the block.
        """

    @abstractmethod
    def combine(self, branches: Sequence[nn.Sequential]) -> nn.Module:
        """Make one module of the branches' modules, which come in the order of `lay_out`."""

    @property
    def joining(self) -> Join:
        """How what its branches give becomes one."""
        return "add"

    @property
    def names_its_branches(self) -> bool:
        """Whether its branches have names of the user's."""
        return False

    def feeds(self, index: int, other: int) -> bool:
        """Whether branch `other` gets what branch `index` gives, rather than the block's input."""
        return False

    def taken(self, index: int, input: Fact, outputs: Sequence[Fact]) -> list[Fact]:
        """What branch `index` takes: several facts where tensors are joined in front of it.

        Args:
            input: what is known of the block's input.
            outputs: what is known of the output of each branch before it.
        """
        feeding = [output for n, output in enumerate(outputs[:index]) if self.feeds(n, index)]
        return [input, *feeding] if self.keeps_all else feeding or [input]

    def given(self, input: Fact, outputs: Sequence[Fact]) -> list[Fact]:
        """What the block's output is made of: its input or the outputs of its branches."""
        if self.is_aside:
            return [input]
        if self.keeps_all:
            return [input, *outputs]
        branches = range(len(outputs))
        return [
            outputs[n] for n in branches if not any(self.feeds(n, m) for m in branches[n + 1 :])
        ]

    def behind(self, index: int, branches: Sequence[Branch]) -> tuple[PlannedLayer, ...]:
        """The layers in the block that get what branch number `index` gives; none if none does."""
        return ()

    def build(self, input: Shape) -> nn.Module:
        return assemble(plan_layer(self, input, Scope("", ()), name=""))


def plan_layers(layers: Sequence[Layer], input: Shape, scope: Scope) -> tuple[PlannedLayer, ...]:
    """Plan layers one after the other, each getting what the one before it gives.

    Raises:
        FaultError: names that are taken, or the first layer that does not fit; paths are below the
            list of layers.
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
        FaultError: it does not fit what it gets; paths are below the layer.
    """
    whole = ".".join(filter(None, (scope.name, name)))
    if not isinstance(layer, Block):
        return PlannedLayer(whole, layer, scope.path, input, _infer(layer, input))
    branches = layer.lay_out(input, Scope(whole, scope.path))
    return PlannedLayer(whole, layer, scope.path, input, _bounded(layer.joined(branches)), branches)


def _names(layers: Sequence[Layer]) -> list[str]:
    """Each layer's own name, or its kind with a number; two of one name are a fault."""
    counts: Counter[str] = Counter()
    names: list[str] = []
    for layer in layers:
        counts[layer.kind] += 1
        names.append(layer.name or f"{layer.kind}{counts[layer.kind]}")
    taken = Counter(names)
    faults = [
        Fault(
            message=f"another layer is named {layer.name} too",
            hint="give each its own name",
            path=(index, layer.kind, "name"),
        )
        for index, layer in enumerate(layers)
        if layer.name and taken[layer.name] > 1
    ]
    if faults:
        raise FaultError(*faults)
    return names


def _infer(layer: Layer, input: Shape) -> Shape:
    """The shape that comes out of a layer."""
    try:
        with torch.device("meta"):
            module = layer.build(input)
            output = layer.infer(input) or _rehearse(module, input)
            _check_weights(module)
    except (TypeError, OverflowError) as error:  # torch's words for sizes beyond 64 bits
        if "overflow" not in str(error).lower():
            raise
        raise _too_many(f"{layer.kind} on {describe_shape(input)}") from None
    except (RuntimeError, ValueError, IndexError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        message = f"{layer.kind} does not fit {describe_shape(input)}: {reason}"
        hint = "change its options or the layers before"
        raise config_fault(message, hint=hint) from None
    if min(output) < 1:
        message = f"nothing is left of {describe_shape(input)}"
        raise config_fault(message, hint="use smaller windows, or a larger data.size")
    return _bounded(output)


def _bounded(output: Shape) -> Shape:
    """A shape of as many values as can be counted on."""
    if prod(output) > MAX_VALUES:
        raise _too_many(describe_shape(output))
    return output


def _check_weights(module: nn.Module) -> None:
    count = sum(weight.numel() for weight in module.parameters())
    if count > MAX_VALUES:
        raise _too_many(f"{count:,} weights")


def _too_many(what: str) -> FaultError:
    message = f"{what}: more than {MAX_VALUES:,} values"
    return config_fault(message, hint="use smaller widths, windows or paddings")


def _rehearse(module: nn.Module, input: Shape) -> Shape:
    """Run a module on the meta device; torch's first such run loads 150 MB of its own code."""
    # two samples, since batch norm takes no batch of one
    output = rehearsing(module)(torch.empty(2, *input, device="meta"))
    return tuple(output.shape[1:])


def rehearsing(module: nn.Module) -> nn.Module:
    """A module on the meta device that can be run: there batches cannot be counted."""
    for part in module.modules():
        if isinstance(part, _BatchNorm) and part.momentum is None:
            part.momentum = 0.1
    return module


def assemble(planned: PlannedLayer) -> nn.Module:
    """Build the module of a planned layer, and all that is in it."""
    if not isinstance(planned.layer, Block):
        return planned.layer.build(planned.input)
    return planned.layer.combine([chain(branch.layers) for branch in planned.branches])


def chain(layers: Sequence[PlannedLayer]) -> nn.Sequential:
    """Build the modules of layers that run one after the other."""
    return nn.Sequential(OrderedDict((planned.short_name, assemble(planned)) for planned in layers))
