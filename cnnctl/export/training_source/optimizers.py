"""The optimizer as code: its class in torch.optim, the options that differ, and its groups."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn, optim

from cnnctl.errors import config_fault
from cnnctl.experiment import Experiment
from cnnctl.export.training_source.freezing import prefixes
from cnnctl.export.training_source.layout import Code, call, literal
from cnnctl.export.training_source.own_optimizers import BUILT_IN, LION, TOGETHER, muon_source
from cnnctl.optim.groups import parameter_groups
from cnnctl.optim.optimizers import Optimizer
from cnnctl.optim.optimizers.momentum import SignedMomentum
from cnnctl.optim.optimizers.orthogonal import Muon, OrthogonalizedMomentum
from cnnctl.optim.regularizers import Penalized, penalized

WEIGHTS = "[p for p in network.parameters() if p.ndim > 1]"
OTHERS = "[p for p in network.parameters() if p.ndim <= 1]"
TRAINABLE = "[p for p in network.parameters() if p.requires_grad]"


@dataclass(frozen=True, slots=True)
class _Part:
    """An optimizer, and the weights that it updates."""

    optimizer: Optimizer
    groups: list[tuple[list[str], dict[str, Any]]]
    """Names of weights, and the settings that they have of their own."""


def has_several(optimizer: Optimizer) -> bool:
    """Whether weights are updated by different optimizers."""
    return len(optimizer.parts()) > 1 or any(group.optimizer for group in optimizer.groups)


def optimizer_source(experiment: Experiment, network: nn.Module) -> str:
    """`build_optimizer(network)`, and the classes that it needs if torch has none.

    network: that of the experiment, on any device, with what is frozen.

    Raises:
        FaultError: an optimizer is that of a plugin.
    """
    parts = _parts(experiment, network)
    classes = dict.fromkeys(filter(None, (_class_of(part.optimizer)[2] for part in parts)))
    if len(parts) == 1:
        before, given, settings = _all_weights(network, parts[0].groups)
        built = _built(parts[0], given, settings)
    else:
        classes[TOGETHER] = None
        before, codes = _chosen(network, [group for part in parts for group in part.groups])
        left = iter(codes)
        calls = (_built(part, *_some_weights(part.groups, left)) for part in parts)
        built = call("Together", *calls)
    body = "\n".join(f"    {line}" for line in [*before, f"return {built}"])
    code = f"def build_optimizer(network: nn.Module) -> torch.optim.Optimizer:\n{body}\n"
    return f"import torch\nfrom torch import nn\n{''.join(classes)}{code}"


def _parts(experiment: Experiment, network: nn.Module) -> list[_Part]:
    regularization = experiment.regularization
    groups = parameter_groups(
        network,
        experiment.optimizer,
        weight_decay=regularization.weight_decay,
        penalize=regularization.penalize,
    )
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    found = dict[int, _Part]()
    for group in groups:
        part = found.setdefault(id(group.optimizer), _Part(group.optimizer, []))
        part.groups.append(([names[id(each)] for each in group.parameters], group.settings))
    return list(found.values())


def _built(part: _Part, given: str, settings: dict[str, Any]) -> str:
    """The call that makes an optimizer of these weights, with settings for all of them."""
    optimizer = part.optimizer
    own, name, _ = _class_of(optimizer)
    built_in = BUILT_IN if isinstance(optimizer, Muon) else ()
    wanted = optimizer.arguments() | settings
    wanted = {key: value for key, value in wanted.items() if key not in built_in}
    return call(name, given, **{"lr": wanted["lr"], **differing(own, wanted)})


def _class_of(optimizer: Optimizer) -> tuple[type[optim.Optimizer], str, str]:
    """The class of an optimizer, its name in a script, and its code if torch has none."""
    if isinstance(optimizer, Muon):
        return OrthogonalizedMomentum, "Muon", muon_source(optimizer)
    built = type(optimizer.build([{"params": [torch.zeros(1, requires_grad=True)]}], fused=False))
    if built is SignedMomentum:
        return built, "Lion", LION
    if built is getattr(optim, built.__name__, None):
        return built, f"torch.optim.{built.__name__}", ""
    message = f"{optimizer.kind} is an optimizer of a plugin, which a training script lacks"
    hint = "use one of torch's, or leave out --training"
    raise config_fault(message, hint=hint, path=("optimizer",))


def differing(function: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of these arguments of a function that differ from its defaults."""
    known = inspect.signature(function).parameters
    return {name: value for name, value in values.items() if known[name].default != value}


def _all_weights(
    network: nn.Module, groups: list[tuple[list[str], dict[str, Any]]]
) -> tuple[list[str], str, dict[str, Any]]:
    """Lines that choose the groups of the only optimizer, the groups, and settings for all."""
    if len(groups) == 1 or not any(settings for _, settings in groups):
        is_whole = all(each.requires_grad for each in network.parameters())
        return [], "network.parameters()" if is_whole else TRAINABLE, groups[0][1]
    before, codes = _chosen(network, groups)
    lines = [
        f"    {literal({'params': Code(code), **settings})},"
        for code, (_, settings) in zip(codes, groups, strict=True)
    ]
    return [*before, "groups = [", *lines, "]"], "groups", {}


def _some_weights(
    groups: list[tuple[list[str], dict[str, Any]]], codes: Iterator[str]
) -> tuple[str, dict[str, Any]]:
    """The groups of one of several optimizers, and settings for all of them.

    codes: the weights of these groups, and then those of others.
    """
    if len(groups) == 1:
        return next(codes), groups[0][1]
    return literal([{"params": Code(next(codes)), **own} for _, own in groups]), {}


def _chosen(
    network: nn.Module, groups: list[tuple[list[str], dict[str, Any]]]
) -> tuple[list[str], list[str]]:
    """Lines that choose the weights of groups, and the weights of each."""
    if _is_by_dimension(network, groups):
        return [f"weights = {WEIGHTS}", f"others = {OTHERS}"], ["weights", "others"]
    names = [name for name, _ in network.named_parameters()]
    before = ["named = dict(network.named_parameters())"]
    return before, [_named(own, names) for own, _ in groups]


def _is_by_dimension(network: nn.Module, parts: list[tuple[list[str], dict[str, Any]]]) -> bool:
    """Whether there are two groups: of all weights, and of all biases and norms."""
    sizes = {name: parameter.ndim for name, parameter in network.named_parameters()}
    weights = [name for name, ndim in sizes.items() if ndim > 1]
    others = [name for name, ndim in sizes.items() if ndim <= 1]
    return [names for names, _ in parts] == [weights, others]


def _named(own: list[str], names: list[str]) -> str:
    """Parameters by name, or by the beginnings of their names if these are fewer."""
    if len(own) <= 2:
        return f"[{', '.join(f'named[{literal(name)}]' for name in own)}]"
    found = prefixes(own, names)
    start = literal(tuple(found) if len(found) > 1 else found[0])
    return f"[p for name, p in named.items() if name.startswith({start})]"


def penalty_source(experiment: Experiment, network: nn.Module) -> str:
    """`penalty(network)`, what l1 and l2 add to the loss; empty without them."""
    settings = experiment.regularization
    if not settings.l1 and not settings.l2:
        return ""
    terms = {
        f"{settings.l1!r} * sum(w.abs().sum() for w in weights)": settings.l1,
        f"{settings.l2!r} / 2 * sum(w.square().sum() for w in weights)": settings.l2,
    }
    chosen = "\n    ".join(_penalized(network, settings.penalize))
    return f'''
from torch import Tensor, nn


def penalty(network: nn.Module) -> Tensor:
    """The part of the loss that keeps weights small."""
    {chosen}
    return {" + ".join(term for term, factor in terms.items() if factor)}
'''


def _penalized(network: nn.Module, which: Penalized) -> list[str]:
    """Lines that choose the parameters for a penalty."""
    own = list(map(id, penalized(network, which)))
    trainable = [each for each in network.parameters() if each.requires_grad]
    if own == list(map(id, trainable)):
        return [f"weights = {TRAINABLE}"]
    if own == [id(each) for each in network.parameters() if each.ndim > 1]:
        return [f"weights = {WEIGHTS}"]
    return [
        "norms = nn.LayerNorm | nn.RMSNorm",
        "layers = [m for m in network.modules() if not isinstance(m, norms)]",
        "found = [p for m in layers for p in m.parameters(recurse=False)]",
        "weights = [p for p in found if p.requires_grad and p.ndim > 1]",
    ]
