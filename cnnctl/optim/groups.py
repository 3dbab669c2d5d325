"""Parameter groups: weights with their own settings, schedule or optimizer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn, optim

from cnnctl.config.patterns import Names, unmatched
from cnnctl.errors import ConfigPath, Fault
from cnnctl.optim.optimizers import Group, Optimizer
from cnnctl.optim.optimizers.combined import Combined
from cnnctl.optim.regularizers import Penalized, penalized
from cnnctl.optim.schedulers import Scheduler


def check_groups(groups: Sequence[Group], network: nn.Module) -> list[Fault]:
    """Check that every pattern matches a weight of the network.

    Paths are those of the experiment. The network may be on the meta device.
    """
    return unmatched(_patterns(groups), [name for name, _ in network.named_parameters()])


def _patterns(groups: Sequence[Group]) -> Iterator[tuple[ConfigPath, str]]:
    """Every pattern, with its path."""
    for index, group in enumerate(groups):
        path: ConfigPath = ("optimizer", "groups", index, "match")
        for position, pattern in enumerate(group.patterns()):
            yield path if isinstance(group.match, str) else (*path, position), pattern


def members(network: nn.Module, groups: Sequence[Group]) -> dict[str, int]:
    """The group of each parameter that is in one, by name; the first match counts."""
    names = Names(name for name, _ in network.named_parameters())
    found: dict[str, int] = {}
    for index, group in enumerate(groups):
        for pattern in group.patterns():
            for name in names.select(pattern):
                found.setdefault(name, index)
    return found


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """Parameters that an optimizer updates alike."""

    parameters: list[nn.Parameter]
    settings: dict[str, Any]
    """Settings that differ from the optimizer's, by their names in torch.optim."""
    optimizer: Optimizer
    scheduler: Scheduler | None = None
    """Their own schedule, if they have one."""

    def for_torch(self) -> dict[str, Any]:
        """The group as torch.optim takes it."""
        return {"params": self.parameters, **self.settings}

    def is_like(self, other: ParameterGroup) -> bool:
        """Whether the parameters of another group are updated in the same way."""
        mine = self.settings, self.optimizer, self.scheduler
        return mine == (other.settings, other.optimizer, other.scheduler)


def parameter_groups(
    network: nn.Module,
    optimizer: Optimizer,
    *,
    weight_decay: float = 0.0,
    penalize: Penalized = "weights",
    late: Collection[str] = (),
) -> list[ParameterGroup]:
    """The trainable parameters in groups, those without a group of the optimizer first.

    With `weight_decay`, it or that of the group applies to penalized parameters only, and the
    others have none. Parameters that get gradients `late` have separate groups: torch's fused SGD
    rejects a group in which only some weights have a momentum buffer.
    """
    groups = optimizer.groups
    group_of = members(network, groups)
    decayed = set(map(id, penalized(network, penalize))) if weight_decay else set()
    found: dict[tuple[int, bool, bool, bool], ParameterGroup] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            index, is_spared = group_of.get(name, -1), id(parameter) not in decayed
            group = groups[index] if index >= 0 else None
            main = (group.optimizer if group else None) or optimizer
            kind = main.of(parameter)
            settings = group.settings() if group else {}
            if weight_decay and (group is None or group.optimizer is None):
                decay = 0.0 if is_spared else settings.get("weight_decay", weight_decay)
                settings["weight_decay"] = decay
            is_late = name in late and not kind.moves_all_together
            key = index, kind is not main, is_spared, is_late
            scheduler = group.scheduler if group else None
            own = found.setdefault(key, ParameterGroup([], settings, kind, scheduler))
            own.parameters.append(parameter)
    return [found[key] for key in sorted(found)]


def merged(groups: list[ParameterGroup], more: list[ParameterGroup]) -> list[ParameterGroup]:
    """Parameter groups with further ones, which join the first group that is updated alike."""
    found = [replace(group, parameters=[*group.parameters]) for group in groups]
    for each in more:
        group = next((group for group in found if group.is_like(each)), None)
        if group is None:
            found.append(each)
        else:
            group.parameters.extend(each.parameters)
    return found


def build_optimizer(groups: Sequence[ParameterGroup], *, fused: bool) -> optim.Optimizer:
    """An optimizer of these groups, in their order; see `Optimizer.build`."""
    kinds = list(dict.fromkeys(id(group.optimizer) for group in groups))
    given = [group.for_torch() for group in groups]
    if len(kinds) == 1:
        return groups[0].optimizer.build(given, fused=fused)
    parts = []
    for kind in kinds:
        own = [place for place, group in enumerate(groups) if id(group.optimizer) == kind]
        part = groups[own[0]].optimizer.build([given[place] for place in own], fused=fused)
        parts.append((part, own))
    return Combined(parts)


def freeze_finished(groups: Sequence[ParameterGroup], is_over: Sequence[bool]) -> None:
    """Compute no gradients for groups whose learning rate stays 0, unless that is true of all."""
    if all(is_over):  # without any gradient, there would be no backward pass
        return
    for group, is_finished in zip(groups, is_over, strict=True):
        for parameter in group.parameters if is_finished else ():
            parameter.requires_grad_(False)
