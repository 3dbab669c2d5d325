"""Layers -> nn.Module, by inferring shapes.

The network is first built on the meta device, layer by layer, where tensors have shapes but no
data: that infers the input of each layer and finds those that do not fit. The same `build` methods
then make the real modules.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import torch
from pydantic import ConfigDict, Field, field_validator
from torch import Tensor, nn

from cnnctl.config.choice import Spec
from cnnctl.errors import ConfigPath, Fault, FaultError, below, config_fault, under
from cnnctl.model import blocks as _blocks  # declares the kinds of blocks
from cnnctl.model.block import Block, Blocks, PlannedLayer, Scope, chain, plan_layers
from cnnctl.model.fixed_initializers import Zeros
from cnnctl.model.forms import with_short_forms
from cnnctl.model.freezing import Freeze
from cnnctl.model.graph import Graph, following_activation, graph_of
from cnnctl.model.heads import HEADS, Head, plan_heads
from cnnctl.model.inference import rehearsing
from cnnctl.model.initializers import Activation, Default, Initializer
from cnnctl.model.layer import Layer, Name, Shape, WeightedLayer
from cnnctl.model.measured_initializers import Samples, fill_measured
from cnnctl.model.modules import Auxiliary, WithAuxiliary

del _blocks

MAX_LAYERS = 10_000
"""Limit on the number of layers, including repeated ones."""

__all__ = ["Block", "Model", "NetworkPlan", "PlannedLayer", "build", "meta_network", "plan"]


class Model(Spec):
    """An architecture: layers, one after the other."""

    model_config = ConfigDict(json_schema_extra=with_short_forms)
    written_out = ("zoo", "torchvision", "blocks")

    layers: Annotated[list[Layer], Field(min_length=1)]
    """The layers, from the input to the output, or the trunk that the heads share."""
    heads: Mapping[Name, Head] = Field(default={})
    """Layers for each of several targets, by the target's name."""
    init: Initializer = Default()
    """Initialisation of conv and linear weights; a layer's own `init` takes precedence."""
    weights: str | None = None
    """Weights file to start from, or DEFAULT for torchvision's."""
    freeze: Freeze = []
    """Layers to freeze, by name or pattern; `backbone` is all but the classifier."""
    unfreeze_at: Annotated[int, Field(gt=0)] | None = None
    """Epoch, counted from 1, from which frozen layers are trained."""

    @field_validator("weights")
    @classmethod
    def _may_be_none(cls, weights: str | None) -> str | None:
        return None if weights == "none" else weights


@dataclass(frozen=True)
class NetworkPlan:
    """A network with known shapes, before its weights are allocated."""

    layers: tuple[PlannedLayer, ...]
    input: Shape
    init: Initializer

    @property
    def output(self) -> Shape:
        """The output shape for one sample."""
        return self.layers[-1].output

    @cached_property
    def graph(self) -> Graph:
        """The graph of its tensors: which is computed from which."""
        return graph_of(self.layers, self.input)

    @cached_property
    def on_meta(self) -> nn.Sequential:
        """See `meta_network`."""
        return new_meta_network(self)

    def nested(self) -> Iterator[tuple[PlannedLayer, Blocks]]:
        """Every layer and block, with its enclosing blocks; a block precedes its layers."""
        return (pair for planned in self.layers for pair in planned.nested())

    def leaves(self) -> Iterator[PlannedLayer]:
        """The leaf layers, in execution order."""
        return (node.planned for node in self.graph.nodes if node.planned)


def plan(
    model: Model, *, input: Shape, classes: int, targets: Mapping[str, int] | None = None
) -> NetworkPlan:
    """Name the layers and infer every shape, on the meta device; nothing is allocated.

    `targets` sets the number of `classes` in each head.

    Raises:
        FaultError: the layers with a name that is taken; or the first that does not fit its input,
            with both shapes; or the initialisers that do not fit their weights.
    """
    _check_size(model)
    filled = [layer.with_classes(classes) for layer in model.layers]
    with below("model", "layers"):
        layers = plan_layers(filled, input, Scope("", ("model", "layers")))
    if model.heads:
        _check_free(layers)
        heads = plan_heads(model.heads, layers[-1].output, outputs=targets or {})
        layers = (*layers, heads)
    planned = NetworkPlan(layers, input, model.init)
    _check_starts(planned)
    return planned


def _check_free(layers: Sequence[PlannedLayer]) -> None:
    for planned in layers:
        if planned.name == HEADS:
            message = f"{HEADS} is reserved for the block of model.heads"
            raise config_fault(message, hint="use another name", path=(*planned.path, "name"))


def _check_size(model: Model) -> None:
    heads = (layer for head in model.heads.values() for layer in head.layers)
    size = sum(layer.layer_count() for layer in (*model.layers, *heads))
    if size > MAX_LAYERS:
        message = f"{size:,} layers exceed the limit of {MAX_LAYERS:,}"
        raise config_fault(message, hint="use fewer repetitions", path=("model", "layers"))


def build(plan: NetworkPlan, *, seed: int, samples: Samples | None = None) -> nn.Sequential:
    """Build the network on the CPU; `seed` decides its weights.

    Takes (N, *plan.input) and returns (N, *plan.output). Weights are always drawn on the CPU, so
    that a seed gives the same weights for every device. The global random state is restored.
    Initializers that are measured on data get `samples`, on the CPU; without them, they assume.
    """
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would seed every GPU as well
        torch.default_generator.manual_seed(seed)
        network = _assemble(plan)
    generator = torch.Generator().manual_seed(seed)
    given = list(starts(network, plan))
    for start in given:
        start.initializer.fill(start.tensor, activation=start.activation, generator=generator)
    measured = [(s.planned.name, s.initializer) for s in given if s.initializer.measured_on]
    if measured and samples is not None:
        fill_measured(network, measured, samples)
    return network


def meta_network(plan: NetworkPlan) -> nn.Sequential:
    """The network on the meta device: all modules and shapes, but no data.

    It is assembled once and must not be changed; use `new_meta_network` for that.
    """
    return plan.on_meta


def new_meta_network(plan: NetworkPlan) -> nn.Sequential:
    """A new network on the meta device."""
    with torch.device("meta"):
        return _assemble(plan)


def empty_network(plan: NetworkPlan) -> nn.Sequential:
    """The network on the CPU, for weights and buffers that will be loaded.

    They are not initialised, unless a plugin is involved: its modules may have tensors outside of
    the state dict, which only `build` creates.
    """
    network = new_meta_network(plan)
    parts = (*network.modules(), *(planned.layer for planned in plan.leaves()))
    packages = {type(part).__module__.partition(".")[0] for part in parts}
    is_known = packages <= {"cnnctl", "torch", "torchvision"}
    return network.to_empty(device="cpu") if is_known else build(plan, seed=0)


def _assemble(plan: NetworkPlan) -> nn.Sequential:
    network = chain(plan.layers)
    if any(isinstance(part, Auxiliary) for part in network.modules()):
        return WithAuxiliary(OrderedDict(network.named_children()))
    return network


@dataclass(frozen=True, slots=True)
class Start:
    """A weight or a bias, and its initializer."""

    planned: PlannedLayer
    """Its layer."""
    name: str
    """Its name in the layer."""

    tensor: Tensor
    initializer: Initializer
    activation: Activation
    path: ConfigPath
    """Where the initializer is chosen."""


def starts(network: nn.Module, plan: NetworkPlan) -> Iterator[Start]:
    """Every tensor that an initializer fills, in the order of drawing."""
    for planned, behind in plan.graph.with_followers():
        if isinstance(planned.layer, WeightedLayer):
            activation = following_activation(behind)
            for name, tensor in network.get_submodule(planned.name).named_parameters():
                initializer, path = _chosen(planned.layer, name, planned.path, plan.init)
                yield Start(planned, name, tensor, initializer, activation, path)


def _chosen(
    layer: WeightedLayer, parameter: str, path: ConfigPath, default: Initializer
) -> tuple[Initializer, ConfigPath]:
    """The initializer of a layer's weight or bias, and where it is written."""
    if parameter.endswith("bias"):
        return layer.bias_init or Zeros(), (*path, "bias_init")
    if layer.init:
        return layer.init, (*path, "init")
    return default, ("model", "init")


def _check_starts(plan: NetworkPlan) -> None:
    """Raise faults for initializers that do not fit their tensors, one per path."""
    faults: dict[ConfigPath, Fault] = {}
    for start in starts(meta_network(plan), plan):
        try:
            _check_start(start)
        except FaultError as error:
            for fault in under(start.path, error).faults:
                faults.setdefault(fault.path, fault)
    if faults:
        raise FaultError(*faults.values())


def _check_start(start: Start) -> None:
    layer = start.planned.layer
    is_fit = isinstance(layer, WeightedLayer) and layer.weighs_inputs
    if start.initializer.measured_on and not is_fit:
        message = f"{start.initializer.kind} cannot initialise {layer.kind}"
        raise config_fault(message, hint="use another initializer for this layer")
    start.initializer.check(tuple(start.tensor.shape))


def needing_company(plan: NetworkPlan) -> list[Fault]:
    """Faults for layers that cannot train on a single sample, such as batch norm on a vector."""
    network = new_meta_network(plan)
    faults: list[Fault] = []
    for planned in plan.leaves():
        try:
            module = rehearsing(network.get_submodule(planned.name))
            module(torch.empty(1, *planned.input, device="meta"))
        except (ValueError, AssertionError):
            message = f"{planned.layer.kind} cannot train on a batch of one sample"
            faults.append(Fault(message=message, path=planned.path))
    return faults
