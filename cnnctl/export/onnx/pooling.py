"""Adaptive max pooling in operations that ONNX has."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

_ADAPTIVE = nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d


class MaxOfSlices(nn.Module):
    """What nn.AdaptiveMaxPool does, side by side: (N, C, *) in, (N, C, *sizes) out."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)

    def forward(self, input: Tensor) -> Tensor:
        """Take the maxima along each side; windows overlap where a size does not divide it."""
        output = input
        for dim, size in enumerate(self.sizes, start=2):
            side = output.shape[dim]
            bounds = [(at * side // size, -(-(at + 1) * side // size)) for at in range(size)]
            parts = [output.narrow(dim, first, last - first) for first, last in bounds]
            output = torch.cat([part.amax(dim, keepdim=True) for part in parts], dim=dim)
        return output


def without_adaptive_max_pools(module: nn.Module) -> nn.Module:
    """The same module, or a copy of it if it has adaptive max pools, without them."""
    if not any(isinstance(part, _ADAPTIVE) for part in module.modules()):
        return module
    copy = deepcopy(module)
    if isinstance(copy, _ADAPTIVE):
        return _replacement(copy)
    for name, part in list(copy.named_modules()):
        if isinstance(part, _ADAPTIVE):
            copy.set_submodule(name, _replacement(part))
    return copy


def _replacement(pool: nn.AdaptiveMaxPool1d | nn.AdaptiveMaxPool2d) -> nn.Module:
    size: Any = pool.output_size
    dims = 1 if isinstance(pool, nn.AdaptiveMaxPool1d) else 2
    return MaxOfSlices([size] * dims if isinstance(size, int) else size)
