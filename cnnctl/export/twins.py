"""The network of torchvision that a network is a twin of: the same tensors, the same outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from cnnctl.errors import FaultError
from cnnctl.export.checking import TOLERANCE, difference
from cnnctl.export.original import Original
from cnnctl.model.layers.torchvision_models import (
    WITH_AUXILIARY_HEADS,
    Torchvision,
    model_names,
    network_of_torchvision,
)
from cnnctl.model.matching import is_auxiliary, match_weights, names_in_order
from cnnctl.model.network import meta_network
from cnnctl.model.weights_file import Tensors
from cnnctl.model.zoo.costs import costs_of
from cnnctl.model.zoo.network import Network

PUBLISHED = 1000
"""Classes of torchvision's networks, for which their costs are known."""


@dataclass(frozen=True, slots=True)
class Twin:
    """A network of torchvision, and its state dict."""

    options: Mapping[str, Any]
    """The arguments of `torchvision.models.get_model` that build it, apart from `weights`."""
    tensors: Tensors
    """The weights by torchvision's names, in its order."""

    @property
    def name(self) -> str:
        """What torchvision calls it."""
        return str(self.options["name"])


def find_twin(original: Original) -> Twin | str:
    """The twin of a network in torchvision, or the reason why it has none."""
    if len(original.trained.plan.output) != 1 or original.tasks[0].name:
        return "it has several heads, or no vector as its output"
    for options in _candidates(original):
        tensors = _translated(original, options)
        if tensors is None:
            continue
        twin = Twin(options, tensors)
        if _computes_the_same(twin, original):
            return twin
        return (
            f"it has the tensors of torchvision's {twin.name}, but computes something else, "
            "such as with other strides"
        )
    return "torchvision has no network with these layers"


def _candidates(original: Original) -> Iterator[dict[str, Any]]:
    """What could be built in torchvision with as many weights, for as many classes."""
    plan, outputs = original.trained.plan, original.trained.plan.output[0]
    layers = [each.layer for each in plan.leaves() if isinstance(each.layer, Torchvision)]
    for layer in layers:
        yield _options(layer.model, outputs, transform_input=layer.transform_input)
    if not layers:
        known = set(model_names())
        names = [name for name in Network.kinds if name in known]
        has_aside = any(map(is_auxiliary, original.network.state_dict()))
        for name in names:
            if name in WITH_AUXILIARY_HEADS or _has_as_many_weights(name, original):
                yield _options(name, outputs, aux_logits=has_aside)


def _options(name: str, outputs: int, **more: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"name": name, "num_classes": outputs}
    if name in WITH_AUXILIARY_HEADS:
        options |= {"aux_logits": False, "init_weights": False, **more}
    return options


def _has_as_many_weights(name: str, original: Original) -> bool:
    """Whether it has as many as the network would have for the published number of classes."""
    outputs = original.trained.plan.output[0]
    weights = [*original.network.parameters()]
    last = [weight for weight in weights[-2:] if len(weight) == outputs]
    more = sum(weight.numel() for weight in last) // outputs * (PUBLISHED - outputs)
    return sum(weight.numel() for weight in weights) + more == costs_of(name).parameters


def _translated(original: Original, options: Mapping[str, Any]) -> Tensors | None:
    """The weights by the names of a network of torchvision; None if they do not fit it."""
    with torch.device("meta"):
        theirs = network_of_torchvision(**options)
    wanted = theirs.state_dict()
    ordered = {name: wanted[name] for name in names_in_order(theirs)}
    try:
        matched = match_weights(meta_network(original.trained.plan), ordered)
    except FaultError:
        return None
    mine = original.network.state_dict()
    found = {theirs: mine[name] for name, theirs in matched.names.items()}
    if matched.left_out or {*found} != {*wanted}:
        return None
    return {name: found[name].reshape(like.shape).clone() for name, like in wanted.items()}


@torch.no_grad()
def _computes_the_same(twin: Twin, original: Original) -> bool:
    with torch.device("meta"):
        network = network_of_torchvision(**twin.options)
    network.load_state_dict(twin.tensors, assign=True)
    inputs = original.random(1, raw=True)
    try:
        outputs = network.eval()(inputs)
    except RuntimeError:  # the input is too small for it
        return False
    return difference(original.network(inputs), outputs) <= TOLERANCE
