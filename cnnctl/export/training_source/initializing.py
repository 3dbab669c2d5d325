"""The initialisation of weights as code: functions of torch.nn.init."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import replace

from torch import nn
from torch.nn import init

from cnnctl.errors import config_fault
from cnnctl.export.training_source.freezing import freezing_lines
from cnnctl.export.training_source.layout import call, literal
from cnnctl.export.training_source.optimizers import differing
from cnnctl.model.fixed_initializers import Dirac, Values
from cnnctl.model.initializers import RECTIFIERS, Activation, Default, Initializer
from cnnctl.model.network import NetworkPlan, Start, meta_network, starts

FEW = 6
"""Weights that get a line each."""


def building_source(plan: NetworkPlan, name: str, *, frozen: Collection[str]) -> str:
    """`build_network()`: the class of this name with its initial weights.

    Raises:
        FaultError: an initializer is that of a plugin.
    """
    network = meta_network(plan)
    given = list(starts(network, plan))
    calls = {_path(start): _call(start) for start in given}
    usual = _usual(given, calls, network)
    lines = _by_layer(given, network, usual) if usual else []
    own = defaultdict[str, list[str]](list)
    for start in given:
        if calls[_path(start)] != usual.get(start.name):
            own[calls[_path(start)]].append(_path(start))
    lines += [line for made, paths in own.items() for line in _exceptions(made, paths)]
    lines += freezing_lines(network, frozen)
    body = "\n".join(f"    {line}" for line in [f"network = {name}()", *lines, "return network"])
    return f'''\
import torch
from torch import nn


def build_network() -> nn.Module:
    """The network with its initial weights."""
{body}
'''


def _usual(given: list[Start], calls: dict[str, str], network: nn.Module) -> dict[str, str]:
    """The most frequent calls for weights and biases, if they are for all layers of some kinds."""
    layers = {network.get_submodule(start.planned.name) for start in given}
    kinds = tuple({type(layer) for layer in layers})
    if not kinds or sum(isinstance(each, kinds) for each in network.modules()) != len(layers):
        return {}
    found = {}
    for kind in ("weight", "bias"):
        own = Counter(calls[_path(start)] for start in given if start.name == kind)
        if own:
            found[kind] = own.most_common(1)[0][0]
    return {} if any("copy_" in call for call in found.values()) else found


def _path(start: Start) -> str:
    return f"{start.planned.name}.{start.name}"


def _call(start: Start) -> str:
    """The call that fills a tensor, `{}`."""
    initializer = start.initializer
    if isinstance(initializer, Values):
        return f"{{}}.data.copy_(torch.tensor({literal(initializer.values)}))"
    if isinstance(initializer, Default):
        return _default(start.activation)
    if initializer.measured_on:
        message = f"a training script does not measure the data for {initializer.kind}"
        raise config_fault(message, hint="leave out --training", path=start.path)
    if isinstance(initializer, Dirac) and initializer.rest is not None:
        return _over_rest(start, initializer, initializer.rest)
    function = getattr(init, f"{initializer.kind}_", None)
    if function is None or not type(initializer).__module__.startswith("cnnctl."):
        message = f"{initializer.kind} is an initializer of a plugin, which a script lacks"
        raise config_fault(message, hint="use one of torch's, or no --training", path=start.path)
    options = {"val" if name == "value" else name: each for name, each in initializer}
    options.pop("rest", None)
    if options.get("nonlinearity") == "auto":
        options["nonlinearity"] = start.activation
    return call(f"nn.init.{initializer.kind}_", "{}", **differing(function, options))


def _over_rest(start: Start, dirac: Dirac, rest: Initializer) -> str:
    """The call that passes the input channels through, after that for all filters."""
    if dirac.groups > 1:
        message = "a training script has dirac with a rest for one group only"
        raise config_fault(message, hint="leave out --training", path=start.path)
    passing = f"{_call(replace(start, initializer=rest))}.data[:{start.tensor.shape[1]}]"
    return f"nn.init.dirac_({passing})"


def _default(activation: Activation) -> str:
    if activation in RECTIFIERS:
        return 'nn.init.kaiming_normal_({}, nonlinearity="relu")'
    if activation == "selu":
        return 'nn.init.kaiming_normal_({}, nonlinearity="linear")'
    return "nn.init.xavier_uniform_({})"


def _by_layer(given: list[Start], network: nn.Module, usual: dict[str, str]) -> list[str]:
    """Lines that fill the weights and biases of all layers in the most frequent ways."""
    layers = {start.planned.name: network.get_submodule(start.planned.name) for start in given}
    kinds = sorted({f"nn.{type(layer).__name__}" for layer in layers.values()})
    lines = [
        "for layer in network.modules():",
        f"    if isinstance(layer, {' | '.join(kinds)}):",
        f"        {usual['weight'].format('layer.weight')}",
    ]
    biases = [getattr(layer, "bias", None) is not None for layer in layers.values()]
    if "bias" in usual:
        filled = usual["bias"].format("layer.bias")
        always = [f"        {filled}"]
        lines += (
            always if all(biases) else ["        if layer.bias is not None:", f"    {always[0]}"]
        )
    return lines


def _exceptions(made: str, paths: list[str]) -> list[str]:
    """Lines that fill these tensors."""
    if len(paths) <= FEW:
        return [made.format(_attribute(path)) for path in paths]
    names = literal(tuple(paths))
    return [f"for name in {names}:", f"    {made.format('network.get_parameter(name)')}"]


def _attribute(path: str) -> str:
    """A tensor as an attribute, if its name can be written as one."""
    if all(step.isidentifier() for step in path.split(".")):
        return f"network.{path}"
    return f'network.get_parameter("{path}")'
