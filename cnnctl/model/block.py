"""Layers that hold layers, and a network as a tree of stages.

A stage is a layer in its place, with the shapes of what it gets and gives. A block has ways: chains
of stages that it runs one after the other or side by side, and joins. The tree is planned from
shapes alone; the same tree is then assembled from modules.
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

from cnnctl.errors import Fault, FaultError, Path, below, config_fault
from cnnctl.model.layer import Layer, Shape, measure

MAX_VALUES = 10**12
"""Weights of one layer, and values that it gives for one sample: 4 TB of float32.

Products of a few such numbers still fit 64 bits.
"""

Fact = TypeVar("Fact")
"""Whatever is followed through a network, layer by layer: a tensor's memory, a receptive field."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A layer in its place: its name, what it gets and what comes out."""

    name: str
    """Its name in the whole network: `conv1`, `residual1.conv1`."""
    layer: Layer
    path: Path
    input: Shape
    output: Shape
    ways: tuple[Way, ...] = ()
    """What is in it, if it is a block."""

    @property
    def short_name(self) -> str:
        """Its name among its neighbours."""
        return self.name.rpartition(".")[2]

    def leaves(self) -> Iterator[Stage]:
        """The layers in it that hold no others, in the order in which they run."""
        if not isinstance(self.layer, Block):
            yield self
        for way in self.ways:
            yield from way.leaves()


@dataclass(frozen=True, slots=True)
class Way:
    """A chain of stages within a block; an empty one passes its input on."""

    name: str
    """Of the module that holds the chain; empty where its stages are the block's own children."""
    stages: tuple[Stage, ...]
    input: Shape

    @property
    def output(self) -> Shape:
        """The shape of what comes out for one sample."""
        return self.stages[-1].output if self.stages else self.input

    def leaves(self) -> Iterator[Stage]:
        """The layers in it that hold no others."""
        for stage in self.stages:
            yield from stage.leaves()


@dataclass(frozen=True, slots=True)
class Site:
    """Where a block stands: the prefix of the names in it, and the path of its options."""

    name: str
    path: Path

    def way(self, layers: Sequence[Layer], input: Shape, *, at: Path, name: str = "") -> Way:
        """Plan a chain: layers that stand at the option `at` of the block.

        Raises:
            FaultError: names that are taken, or the first layer that does not fit what it gets;
                paths are below the block.
        """
        with below(*at):
            return Way(name, stages_of(layers, input, self._inside(at, name)), input)

    def way_of_one(self, layer: Layer | None, input: Shape, *, at: Path, name: str) -> Way:
        """Plan the one layer that stands at the option `at` of the block; without it, nothing.

        Raises:
            FaultError: it does not fit what it gets; the path is below the block.
        """
        if layer is None:
            return Way(name, (), input)
        at = (*at, layer.kind)
        with below(*at):
            own_name = layer.name or f"{layer.kind}1"
            stage = plan_stage(layer, input, self._inside(at, name), name=own_name)
        return Way(name, (stage,), input)

    def _inside(self, at: Path, name: str) -> Site:
        return Site(".".join(filter(None, (self.name, name))), (*self.path, *at))


class Block(Layer):
    """A layer made of layers. A member plans its ways and joins them."""

    keeps_all: ClassVar[bool] = False
    """Whether its input, and what every way gives, are part of what comes out."""
    is_aside: ClassVar[bool] = False
    """Whether it passes its input on as it is, and what its ways give goes elsewhere."""

    @abstractmethod
    def lay_out(self, input: Shape, site: Site) -> tuple[Way, ...]:
        """Plan the layers in it.

        Raises:
            FaultError: a layer does not fit what it gets; paths are below the block.
        """

    @abstractmethod
    def joined(self, ways: Sequence[Way]) -> Shape:
        """The shape that comes out of the ways together.

        Raises:
            FaultError: they cannot be joined; paths are below the block.
        """

    @abstractmethod
    def combine(self, ways: Sequence[nn.Sequential]) -> nn.Module:
        """Make one module of the ways' modules, which come in the order of `lay_out`."""

    def feeds(self, index: int, other: int) -> bool:
        """Whether way `other` gets what way `index` gives, rather than the block's input."""
        return False

    def taken(self, index: int, input: Fact, outputs: Sequence[Fact]) -> list[Fact]:
        """What way `index` takes: several facts where tensors are joined in front of it.

        Args:
            input: what is known of the block's input.
            outputs: what is known of the output of each way before it.
        """
        feeding = [output for n, output in enumerate(outputs[:index]) if self.feeds(n, index)]
        return [input, *feeding] if self.keeps_all else feeding or [input]

    def given(self, input: Fact, outputs: Sequence[Fact]) -> list[Fact]:
        """What the block's output is made of: its input or the outputs of its ways."""
        if self.is_aside:
            return [input]
        if self.keeps_all:
            return [input, *outputs]
        ways = range(len(outputs))
        return [outputs[n] for n in ways if not any(self.feeds(n, m) for m in ways[n + 1 :])]

    def behind(self, index: int, ways: Sequence[Way]) -> tuple[Stage, ...]:
        """The stages in the block that get what way number `index` gives; none if none does."""
        return ()

    def build(self, input: Shape) -> nn.Module:
        return assemble(plan_stage(self, input, Site("", ()), name=""))


def stages_of(layers: Sequence[Layer], input: Shape, site: Site) -> tuple[Stage, ...]:
    """Plan layers one after the other, each getting what the one before it gives.

    Raises:
        FaultError: names that are taken, or the first layer that does not fit; paths are below the
            list of layers.
    """
    stages: list[Stage] = []
    shape = input
    for index, (name, layer) in enumerate(zip(_names(layers), layers, strict=True)):
        place = Site(site.name, (*site.path, index, layer.kind))
        with below(index, layer.kind):
            stages.append(plan_stage(layer, shape, place, name=name))
        shape = stages[-1].output
    return tuple(stages)


def plan_stage(layer: Layer, input: Shape, site: Site, *, name: str) -> Stage:
    """Plan one layer and everything in it.

    Raises:
        FaultError: it does not fit what it gets; paths are below the layer.
    """
    whole = ".".join(filter(None, (site.name, name)))
    if not isinstance(layer, Block):
        return Stage(whole, layer, site.path, input, _infer(layer, input))
    ways = layer.lay_out(input, Site(whole, site.path))
    return Stage(whole, layer, site.path, input, _bounded(layer.joined(ways)), ways)


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
            cure="give each its own name",
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
        raise _too_many(f"{layer.kind} on {measure(input)}") from None
    except (RuntimeError, ValueError, IndexError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        message = f"{layer.kind} does not fit {measure(input)}: {reason}"
        cure = "change its options or the layers before"
        raise config_fault(message, cure=cure) from None
    if min(output) < 1:
        message = f"nothing is left of {measure(input)}"
        raise config_fault(message, cure="use smaller windows, or a larger data.size")
    return _bounded(output)


def _bounded(output: Shape) -> Shape:
    """A shape of as many values as can be counted on."""
    if prod(output) > MAX_VALUES:
        raise _too_many(measure(output))
    return output


def _check_weights(module: nn.Module) -> None:
    count = sum(weight.numel() for weight in module.parameters())
    if count > MAX_VALUES:
        raise _too_many(f"{count:,} weights")


def _too_many(what: str) -> FaultError:
    message = f"{what}: more than {MAX_VALUES:,} values"
    return config_fault(message, cure="use smaller widths, windows or paddings")


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


def assemble(stage: Stage) -> nn.Module:
    """Build the module of a stage, and all that is in it."""
    if not isinstance(stage.layer, Block):
        return stage.layer.build(stage.input)
    return stage.layer.combine([chain(way.stages) for way in stage.ways])


def chain(stages: Sequence[Stage]) -> nn.Sequential:
    """Build the modules of stages that run one after the other."""
    return nn.Sequential(OrderedDict((stage.short_name, assemble(stage)) for stage in stages))
