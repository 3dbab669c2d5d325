"""The layers of a network as it runs: found by name, and what they output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor, nn

from cnnctl.errors import closest, config_fault, did_you_mean
from cnnctl.explanation.request import Request, Score
from cnnctl.subject import Subject

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Linear)
MOST_NAMED = 12
"""Layers that a hint names."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a layer outputs, and every layer that outputs the same tensor, the outermost last."""

    tensor: Tensor
    """(1, …)."""
    names: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the outermost layer."""
        return self.names[-1]


def outputs_of(network: nn.Module, score: Score, inputs: Tensor) -> tuple[Tensor, list[Output]]:
    """The score of a sample (1, …), and the outputs of all layers, in the order of execution.

    A layer within torchvision's networks has one, too. A block outputs the tensor of its last
    layer, and an in-place activation that of the layer before it: they share an entry.
    """
    found: list[Output] = []
    names = {module: name for name, module in network.named_modules() if name}

    def note(module: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor):
            same = next((each for each in found if each.tensor is output), None)
            if same is None:
                found.append(same := Output(output))
            same.names.append(names[module])

    hooks = [module.register_forward_hook(note) for module in names]
    try:
        return score(inputs), found
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def tapped(module: nn.Module) -> Iterator[list[Tensor]]:
    """A list that gets the outputs of a layer, before anything changes them.

    What follows gets a copy: an in-place activation would otherwise change the noted tensor.
    """
    noted: list[Tensor] = []

    def note(_: nn.Module, __: object, output: Tensor) -> Tensor:
        noted.append(output)
        return output.clone()

    hook = module.register_forward_hook(note)
    try:
        yield noted
    finally:
        hook.remove()


def layer_named(subject: Subject, name: str) -> nn.Module:
    """The layer of this name, also one within torchvision's networks.

    Raises:
        FaultError: there is none.
    """
    network = subject.trained.network
    known: dict[str, nn.Module] = dict(network.named_modules())
    del known[""]
    if name not in known:
        hint = did_you_mean(closest(name, known)) or some_of(list(dict(network.named_children())))
        raise config_fault(f"--layer: no layer is named {name!r}", hint=hint)
    return known[name]


def some_of(names: list[str]) -> str:
    """The first of these layers as a hint."""
    rest = len(names) - MOST_NAMED
    return f"layers: {', '.join(names[:MOST_NAMED])}{f' and {rest} more' if rest > 0 else ''}"


def is_spatial(subject: Subject, output: Tensor) -> bool:
    """Whether an output (1, …) has channels and sides, as the samples do, of several places."""
    has_sides = output.ndim == 1 + len(subject.shape) > 2
    return has_sides and prod(output.shape[2:]) > 1


def spatial_outputs(subject: Subject, score: Score | None = None) -> list[Output]:
    """The spatial outputs on which a score depends, in the order of execution, without poolings.

    By default, those on which any output of the network depends.
    """
    inputs = torch.zeros(1, *subject.shape, device=subject.trained.device, requires_grad=True)
    network = subject.trained.network
    pools = {name for name, module in network.named_modules() if "Pool" in type(module).__name__}
    with torch.enable_grad():
        result, found = outputs_of(network, score or network, inputs)
    found = [each for each in found if is_spatial(subject, each.tensor)]
    return [each for each in found if pools.isdisjoint(each.names) and _decides(each, result.sum())]


def _decides(output: Output, result: Tensor) -> bool:
    [gradient] = torch.autograd.grad(result, output.tensor, retain_graph=True, allow_unused=True)
    return gradient is not None


def weighted_layers(subject: Subject) -> dict[str, nn.Conv1d | nn.Conv2d | nn.Linear]:
    """The convolutions and dense layers, by name, in the order in which they are defined."""
    named = subject.trained.network.named_modules()
    return {name: part for name, part in named if isinstance(part, WEIGHTED)}


def has_convolutions(subject: Subject) -> bool:
    """Whether the network has a convolution."""
    return any(isinstance(part, CONVOLUTIONS) for part in subject.trained.network.modules())


def has_attention(subject: Subject) -> bool:
    """Whether the network mixes places by attention, so that its layers have no map."""
    kinds = (type(part).__name__ for part in subject.trained.network.modules())
    return any("Attention" in kind for kind in kinds)


def spatial_layer(request: Request, output: Tensor) -> None:
    """Refuse the output of `--layer` if it has no sides.

    Raises:
        FaultError: it has none; the hint names layers that have.
    """
    if not is_spatial(request.subject, output):
        names = [each.name for each in spatial_outputs(request.subject)]
        message = f"--layer: {request.layer} has no places, only {tuple(output.shape[1:])}"
        raise config_fault(message, hint=some_of(names))


def last_hidden(subject: Subject) -> str:
    """The layer whose output the last layer with weights takes; empty if there is none."""
    inputs = torch.zeros(1, *subject.shape, device=subject.trained.device)
    network = subject.trained.network
    weighted = set(weighted_layers(subject))
    with torch.no_grad():
        _, found = outputs_of(network, network, inputs)
    last = max((at for at, each in enumerate(found) if weighted & set(each.names)), default=0)
    return found[last - 1].name if last else ""
