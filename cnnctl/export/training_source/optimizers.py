"""The optimizer as code: its class in torch.optim, the options that differ, and its groups."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn, optim

from cnnctl.errors import config_fault
from cnnctl.experiment import Experiment
from cnnctl.export.training_source.freezing import prefixes
from cnnctl.export.training_source.layout import Code, call, literal
from cnnctl.optim.groups import parameter_groups
from cnnctl.optim.optimizers import Optimizer
from cnnctl.optim.optimizers.momentum import SignedMomentum
from cnnctl.optim.regularizers import Penalized, penalized

LION = '''
class Lion(torch.optim.Optimizer):
    """Steps along the sign of the momentum (Chen et al. 2023)."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            lr, (mixing, keeping) = group["lr"], group["betas"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                average = state.setdefault("average", torch.zeros_like(weight))
                weight.mul_(1 - lr * group["weight_decay"])
                weight.sub_(lr * average.lerp(weight.grad, 1 - mixing).sign())
                average.lerp_(weight.grad, 1 - keeping)


'''
WEIGHTS = "[p for p in network.parameters() if p.ndim > 1]"
OTHERS = "[p for p in network.parameters() if p.ndim <= 1]"
TRAINABLE = "[p for p in network.parameters() if p.requires_grad]"


def optimizer_source(experiment: Experiment, network: nn.Module) -> str:
    """`build_optimizer(network)`, and the class that it needs if torch has none.

    network: that of the experiment, on any device, with what is frozen.

    Raises:
        FaultError: the optimizer is that of a plugin.
    """
    own, name = _class_of(experiment.optimizer)
    groups, before, settings = _groups(experiment, network)
    wanted = experiment.optimizer.arguments() | settings
    options = {"lr": wanted["lr"]} | differing(own, wanted)
    lines = [
        *before,
        f"return {call(name, groups, **options)}",
    ]
    body = "\n".join(f"    {line}" for line in lines)
    code = f"def build_optimizer(network: nn.Module) -> torch.optim.Optimizer:\n{body}\n"
    return f"import torch\nfrom torch import nn\n{LION if name == 'Lion' else ''}{code}"


def _class_of(optimizer: Optimizer) -> tuple[type[optim.Optimizer], str]:
    built = type(optimizer.build([{"params": [torch.zeros(1, requires_grad=True)]}], fused=False))
    if built is SignedMomentum:
        return built, "Lion"
    if built is getattr(optim, built.__name__, None):
        return built, f"torch.optim.{built.__name__}"
    message = f"{optimizer.kind} is an optimizer of a plugin, which a training script lacks"
    hint = "use one of torch's, or leave out --training"
    raise config_fault(message, hint=hint, path=("optimizer",))


def differing(function: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of these arguments of a function that differ from its defaults."""
    known = inspect.signature(function).parameters
    return {name: value for name, value in values.items() if known[name].default != value}


def _groups(experiment: Experiment, network: nn.Module) -> tuple[str, list[str], dict[str, Any]]:
    """The parameters for the optimizer as code, the lines before it, and settings for all."""
    regularization = experiment.regularization
    groups = parameter_groups(
        network,
        experiment.optimizer,
        weight_decay=regularization.weight_decay,
        penalize=regularization.penalize,
    )
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    parts = [([names[id(each)] for each in group.parameters], group.settings) for group in groups]
    if len(parts) == 1 or not any(settings for _, settings in parts):
        is_whole = all(each.requires_grad for each in network.parameters())
        return "network.parameters()" if is_whole else TRAINABLE, [], parts[0][1]
    chosen = {"weights": WEIGHTS, "others": OTHERS} if _is_by_dimension(network, parts) else {}
    if chosen:
        before = [f"{name} = {code}" for name, code in chosen.items()]
        codes = list(chosen)
    else:
        before = ["named = dict(network.named_parameters())"]
        codes = [_named(own, list(names.values())) for own, _ in parts]
    lines = [
        f"    {literal({'params': Code(code), **settings})},"
        for code, (_, settings) in zip(codes, parts, strict=True)
    ]
    return "groups", [*before, "groups = [", *lines, "]"], {}


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
