"""What a module computes: its symbol and formula, and what it measures or draws on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cnnctl.model.layer import Layer
from cnnctl.model.layers import (
    activations,
    convolution,
    dropout,
    linear,
    normalization,
    pooling,
)

_LIKE: Mapping[str, type[Layer]] = {
    "Conv1d": convolution.Conv,
    "Conv2d": convolution.Conv,
    "Linear": linear.Linear,
    "BatchNorm1d": normalization.BatchNorm,
    "BatchNorm2d": normalization.BatchNorm,
    "LayerNorm": normalization.LayerNorm,
    "LayerNorm2d": normalization.LayerNorm,
    "ReLU": activations.Relu,
    "ReLU6": activations.Relu6,
    "SiLU": activations.Silu,
    "GELU": activations.Gelu,
    "Sigmoid": activations.Sigmoid,
    "Hardswish": activations.Hardswish,
    "Hardsigmoid": activations.Hardsigmoid,
    "MaxPool2d": pooling.MaxPool,
    "AvgPool2d": pooling.AvgPool,
    "AdaptiveAvgPool2d": pooling.AdaptiveAvgPool,
    "Dropout": dropout.Dropout,
    "StochasticDepth": dropout.StochasticDepth,
}
"""Modules inside of torchvision's networks, by the name of their class."""


Role = Literal["input", "output", "join", "statistic", "mask"]
"""What a tensor of a trace is."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a module computes."""

    symbol: str
    formula: str
    letters: Mapping[str, str]
    """Of its parameters, by name."""


def described(module: nn.Module, layer: Layer | None) -> Described:
    """The description of a layer of ours, or of a module inside of a foreign one."""
    if layer is not None:
        return Described(layer.symbol, layer.worked(), layer.letters)
    kind = _LIKE.get(type(module).__name__)
    if kind is None:
        return Described("x", "", Layer.letters)
    formula = kind.formula.format_map(_Options(module))
    if getattr(module, "bias", True) is None:
        formula = formula.removesuffix(" + b")
    return Described(kind.symbol, formula, kind.letters)


class _Options(dict[str, Any]):
    """The attributes of a module, as options of its kind."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def __missing__(self, name: str) -> Any:
        return getattr(self.module, name, name)


@dataclass(frozen=True, slots=True)
class Detail:
    """A statistic that a module measures, or the mask that it draws."""

    symbol: str
    formula: str
    value: Tensor
    role: Role = "statistic"


def details(module: nn.Module, input: Tensor, output: Tensor) -> list[Detail]:
    """The details of a call; the graph of the output is still there. Input is (1, …)."""
    if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.modules.instancenorm._InstanceNorm):
        return _channel_statistics(module, input)
    if isinstance(module, nn.LayerNorm):
        return _layer_statistics(module, input)
    if isinstance(module, nn.GroupNorm):
        grouped = input.detach().reshape(module.num_groups, -1)
        return _mean_and_variance(grouped, 1, of="each group")
    if module.training and _draws(module):
        return [Detail("m", "mask, scaled", _slopes(input, output), role="mask")]
    return []


def _draws(module: nn.Module) -> bool:
    is_dropout = isinstance(module, nn.modules.dropout._DropoutNd)
    return is_dropout or type(module).__name__ == "StochasticDepth"


def _slopes(input: Tensor, output: Tensor) -> Tensor:
    """The derivative of each output to its own input: of dropout, the mask with its scale."""
    if not output.requires_grad:
        return torch.ones_like(output)[0]
    [slopes] = torch.autograd.grad(output.sum(), input, retain_graph=True)
    return slopes.detach()[0]


def _channel_statistics(module: Any, input: Tensor) -> list[Detail]:
    """Mean and variance of each channel, as batch and instance norms take them."""
    is_batch = isinstance(module, nn.modules.batchnorm._BatchNorm)
    if not module.training and module.running_mean is not None:
        return [
            Detail("μ", "running mean", module.running_mean.detach().clone()),
            Detail("σ²", "running variance", module.running_var.detach().clone()),
        ]
    of = "the batch" if is_batch else "each channel"
    own = input.detach().transpose(0, 1).flatten(1)
    found = _mean_and_variance(own, 1, of=of)
    if module.running_mean is not None:
        share = (
            1 / float(module.num_batches_tracked) if module.momentum is None else module.momentum
        )
        kept = f"{1 - share:g} running + {share:g}"
        running = module.running_mean.detach().clone(), module.running_var.detach().clone()
        found.append(Detail("running μ", f"{kept} μ", running[0]))
        count = own.shape[1]
        unbiased = f"{kept} σ² · {count} / {count - 1}" if count > 1 else f"{kept} σ²"
        found.append(Detail("running σ²", unbiased, running[1]))
    return found


def _layer_statistics(module: nn.LayerNorm, input: Tensor) -> list[Detail]:
    own = input.detach()[0]
    if len(module.normalized_shape) == 1 and own.ndim > 1:  # over the channels, at each position
        return _mean_and_variance(own.flatten(1), 0, of="the channels at each position")
    return _mean_and_variance(own.reshape(1, -1), 1, of="the sample")


def _mean_and_variance(values: Tensor, dim: int, *, of: str) -> list[Detail]:
    return [
        Detail("μ", f"mean of {of}", values.mean(dim)),
        Detail("σ²", f"variance of {of}", values.var(dim, correction=0)),
    ]
