"""Frozen layers as code."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

from cnnctl.export.training_source.layout import literal

FEW = 8
"""Names that are listed in a line."""


def freezing_lines(network: nn.Module, names: Collection[str]) -> list[str]:
    """Lines of `build_network` that freeze the parameters of these names."""
    frozen = [name for name, _ in network.named_parameters() if name in names]
    if not frozen:
        return []
    starts = prefixes(frozen, [name for name, _ in network.named_parameters()])
    return [
        "for name, parameter in network.named_parameters():",
        f"    parameter.requires_grad_(not name.startswith({literal(tuple(starts))}))",
    ]


def evaluating_lines(network: nn.Module, names: Collection[str]) -> list[str]:
    """Lines of `train_epoch` after which frozen batch norms keep their statistics."""
    norms = [name for name, _ in network.named_modules() if f"{name}.running_mean" in names]
    if not norms:
        return []
    return [
        f"for name in {literal(tuple(norms))}:",
        "    network.get_submodule(name).eval()",
    ]


def prefixes(own: Collection[str], names: Collection[str]) -> list[str]:
    """The shortest beginnings that these names have, and no others of all names."""
    found, left = list[str](), list(own)
    while left:
        steps = left[0].split(".")
        ways = [".".join(steps[:depth]) + "." for depth in range(1, len(steps))]
        fitting = (
            way for way in ways if set(own) >= {name for name in names if name.startswith(way)}
        )
        found.append(next(fitting, left[0]))
        left = [name for name in left if not name.startswith(found[-1])]
    return found
