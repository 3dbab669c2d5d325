"""Layers -> nn.Module, shape after shape.

The network is first built on the meta device, layer by layer, where tensors have shapes and no
numbers: that infers what each layer gets and finds what does not fit. The same builds then make
the real modules.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnctl.config.choice import Spec
from cnnctl.errors import Fault, FaultError, Path, config_fault, under
from cnnctl.model.initializers import Activation, Default, Initializer, Zeros
from cnnctl.model.layer import Layer, Shape, WeightedLayer, measure


class Model(Spec):
    """An architecture: layers, one after the other."""

    layers: Annotated[list[Layer], Field(min_length=1)]
    """The layers, from the input to the output."""
    init: Initializer = Default()
    """How the weights of conv and linear layers start; a layer's own `init` goes first."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A layer in its place: its name, what it gets and what comes out."""

    name: str
    layer: Layer
    path: Path
    input: Shape
    output: Shape


@dataclass(frozen=True, slots=True)
class Plan:
    """A network whose shapes are known, before it has any weights."""

    stages: tuple[Stage, ...]
    input: Shape
    init: Initializer

    @property
    def output(self) -> Shape:
        """The shape of what the network gives for one sample."""
        return self.stages[-1].output


def plan(model: Model, *, input: Shape, classes: int) -> Plan:
    """Name the layers and infer every shape, on the meta device; nothing is allocated.

    Raises:
        FaultError: the layers with a name that is taken; or the first that does not fit what it
            gets, with both shapes; or the initialisations that do not fit their weights.
    """
    layers = [layer.with_classes(classes) for layer in model.layers]
    planned = Plan(_stages(layers, input, ("model", "layers")), input, model.init)
    _check_starts(planned)
    return planned


def _stages(layers: Sequence[Layer], input: Shape, at: Path) -> tuple[Stage, ...]:
    """The layers of the list at this path, each getting what the one before it gives."""
    stages: list[Stage] = []
    shape = input
    for index, (name, layer) in enumerate(zip(_names(layers, at), layers, strict=True)):
        path = (*at, index, layer.kind)
        stages.append(Stage(name, layer, path, shape, _infer(layer, shape, path)))
        shape = stages[-1].output
    return tuple(stages)


def _names(layers: Sequence[Layer], at: Path) -> list[str]:
    """Each layer's own name, or its kind with a number; two of one name are a fault."""
    counts: Counter[str] = Counter()
    names: list[str] = []
    for layer in layers:
        counts[layer.kind] += 1
        names.append(layer.name or f"{layer.kind}{counts[layer.kind]}")
    faults = [
        Fault(
            message=f"another layer is named {layer.name} too",
            cure="give each its own name",
            path=(*at, index, layer.kind, "name"),
        )
        for index, layer in enumerate(layers)
        if layer.name and names.count(layer.name) > 1
    ]
    if faults:
        raise FaultError(*faults)
    return names


def _infer(layer: Layer, input: Shape, path: Path) -> Shape:
    """The shape that comes out of a layer."""
    try:
        with torch.device("meta"):
            # two samples, since batch norm takes no batch of one
            output = _rehearsing(layer.build(input))(torch.empty(2, *input))
    except FaultError as error:
        raise under(path, error) from None
    except (RuntimeError, ValueError, IndexError) as error:
        reason = str(error).splitlines()[0]
        message = f"{layer.kind} does not fit {measure(input)}: {reason}"
        cure = "change its options or the layers before"
        raise config_fault(message, cure=cure, path=path) from None
    if 0 in output.shape:
        message = f"nothing is left of {measure(input)}"
        raise config_fault(message, cure="use smaller windows, or a larger data.size", path=path)
    return tuple(output.shape[1:])


def _rehearsing(module: nn.Module) -> nn.Module:
    """A module on the meta device that can be run: there batches cannot be counted."""
    if isinstance(module, _BatchNorm) and module.momentum is None:
        module.momentum = 0.1
    return module


def build(plan: Plan, *, seed: int) -> nn.Sequential:
    """Build the network on the CPU; `seed` decides its weights.

    It takes (N, *plan.input) and gives (N, *plan.output). Weights are drawn on the CPU whatever
    the device will be, so that a seed means the same everywhere. The global random state is left
    as it was.
    """
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would seed every GPU as well
        torch.default_generator.manual_seed(seed)
        network = _assemble(plan)
    generator = torch.Generator().manual_seed(seed)
    for start in _starts(network, plan):
        start.initializer.fill(start.tensor, activation=start.activation, generator=generator)
    return network


def outline(plan: Plan) -> nn.Sequential:
    """The network on the meta device: every module and shape, and no numbers."""
    with torch.device("meta"):
        return _assemble(plan)


def _assemble(plan: Plan) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict((stage.name, stage.layer.build(stage.input)) for stage in plan.stages)
    )


@dataclass(frozen=True, slots=True)
class _Start:
    """A weight or a bias, and how it starts."""

    tensor: Tensor
    initializer: Initializer
    activation: Activation
    path: Path
    """Where the initializer is chosen."""


def _starts(network: nn.Module, plan: Plan) -> Iterator[_Start]:
    """Every tensor that an initializer fills, in the order in which they are drawn."""
    for index, stage in enumerate(plan.stages):
        if isinstance(stage.layer, WeightedLayer):
            activation = following_activation(plan.stages[index + 1 :])
            for name, tensor in network.get_submodule(stage.name).named_parameters():
                initializer, path = _chosen(stage.layer, name, stage.path, plan.init)
                yield _Start(tensor, initializer, activation, path)


def _chosen(
    layer: WeightedLayer, parameter: str, path: Path, default: Initializer
) -> tuple[Initializer, Path]:
    """The initializer of a layer's weight or bias, and where it is written."""
    if parameter.endswith("bias"):
        return layer.bias_init or Zeros(), (*path, "bias_init")
    if layer.init:
        return layer.init, (*path, "init")
    return default, ("model", "init")


def _check_starts(plan: Plan) -> None:
    """Initializers that do not fit their tensors are faults, one for each that is written."""
    faults: dict[Path, Fault] = {}
    for start in _starts(outline(plan), plan):
        try:
            start.initializer.check(tuple(start.tensor.shape))
        except FaultError as error:
            for fault in under(start.path, error).faults:
                faults.setdefault(fault.path, fault)
    if faults:
        raise FaultError(*faults.values())


def following_activation(stages: Sequence[Stage]) -> Activation:
    """The first activation behind a layer, before the next weights; `linear` if there is none."""
    for stage in stages:
        if stage.layer.activation is not None:
            return stage.layer.activation
        if isinstance(stage.layer, WeightedLayer):
            break
    return "linear"


def needing_company(plan: Plan) -> list[Fault]:
    """The layers that cannot train on a single sample, as batch norm on a vector."""
    network = outline(plan)
    faults: list[Fault] = []
    for stage in plan.stages:
        try:
            module = _rehearsing(network.get_submodule(stage.name))
            module(torch.empty(1, *stage.input, device="meta"))
        except ValueError:
            message = f"{stage.layer.kind} cannot train on a batch of one sample"
            faults.append(Fault(message=message, path=stage.path))
    return faults
