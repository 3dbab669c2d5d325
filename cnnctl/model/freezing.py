"""Frozen layers: which ones, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

from cnnctl.config.patterns import Names, unmatched
from cnnctl.errors import ConfigPath, Fault
from cnnctl.model.heads import HEADS
from cnnctl.model.modules import Branches

Freeze = Literal["backbone"] | list[str]
"""All but the classifier, or patterns of names."""


@dataclass(frozen=True, slots=True)
class Freezing:
    """The frozen tensors of a network, and the epoch, from 1, in which they start to train."""

    network: nn.Module
    names: frozenset[str]
    """Names in the state dict."""
    unfreeze_at: int | None = None

    def begin_epoch(self, epoch: int) -> None:
        """Put the network in training mode, except for what is frozen in this epoch, from 1.

        A frozen batch norm keeps its statistics, as in Keras. Everything depends on the epoch
        alone, so a resumed run freezes the same as an uninterrupted one.
        """
        is_over = self.unfreeze_at is not None and epoch >= self.unfreeze_at
        for name, parameter in self.network.named_parameters():
            if name in self.names:
                parameter.requires_grad_(is_over)
        self.network.train()
        for name, module in self.network.named_modules():
            if f"{name}.running_mean" in self.names:
                module.train(is_over)


def freezing_of(network: nn.Module, freeze: Freeze, *, unfreeze_at: int | None) -> Freezing:
    """What to freeze in this network; nothing is changed yet."""
    fixed = {name for name, weight in network.named_parameters() if not weight.requires_grad}
    return Freezing(network, frozenset(_chosen(network, freeze) - fixed), unfreeze_at)


def _chosen(network: nn.Module, freeze: Freeze) -> set[str]:
    names = Names(network.state_dict())
    if freeze == "backbone":
        return set(names.whole) - set(classifier(network))
    return {name for pattern in freeze for name in names.select(pattern)}


def classifier(network: nn.Module) -> list[str]:
    """The tensors of the last layer with a weight matrix, and of all layers after it.

    In every torchvision network, they are those that depend on the number of classes. In a
    network with heads, they are those of the heads.
    """
    if isinstance(getattr(network, HEADS, None), Branches):
        return [name for name in network.state_dict() if name.startswith(f"{HEADS}.")]
    matrices = [name for name, weight in network.named_parameters() if weight.ndim > 1]
    if not matrices:
        return []
    names = list(network.state_dict())
    layer = matrices[-1].rpartition(".")[0]
    first = next(name for name in names if name.rpartition(".")[0] == layer)
    return names[names.index(first) :]


def check_freeze(
    freeze: Freeze, network: nn.Module, *, unfreeze_at: int | None = None
) -> list[Fault]:
    """Check `model.freeze` and `model.unfreeze_at` against the network.

    Paths are those of the experiment. The network may be on the meta device.
    """
    if not freeze:
        return [] if unfreeze_at is None else [_NOTHING_TO_UNFREEZE]
    faults = [] if freeze == "backbone" else _unmatched(freeze, list(network.state_dict()))
    frozen = freezing_of(network, freeze, unfreeze_at=unfreeze_at).names
    if not faults and all(
        name in frozen or not weight.requires_grad for name, weight in network.named_parameters()
    ):
        message, hint = (
            "freezes every layer, so there is nothing to train",
            "leave out the last layer",
        )
        faults.append(Fault(message=message, hint=hint, path=("model", "freeze")))
    return faults


_NOTHING_TO_UNFREEZE = Fault(
    message="has no effect: no layer is frozen",
    hint="add model.freeze=backbone, or remove unfreeze_at",
    path=("model", "unfreeze_at"),
)


def _unmatched(patterns: Sequence[str], names: Sequence[str]) -> list[Fault]:
    paths: list[ConfigPath] = [("model", "freeze", index) for index in range(len(patterns))]
    return unmatched(zip(paths, patterns, strict=True), names)
