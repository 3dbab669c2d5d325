"""The window of an image or a signal that one output is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnnctl.model.modules import GlobalAvgPool, GlobalMaxPool

CONVS = (nn.Conv1d, nn.Conv2d)
MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, GlobalMaxPool)
AVG_POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, GlobalAvgPool)


def places(
    module: nn.Module, at: Sequence[int], input: Sequence[int], output: Sequence[int]
) -> list[range]:
    """Positions along each side of the input that the output at this place sees.

    Positions beyond the input are padding.
    """
    if isinstance(module, GlobalAvgPool | GlobalMaxPool):
        return [range(side) for side in input]
    if not hasattr(module, "kernel_size"):  # adaptive
        bounds = zip(at, input, output, strict=True)
        return [range(i * side // out, -(-(i + 1) * side // out)) for i, side, out in bounds]
    options = (_each(module, name, len(input)) for name in ("kernel_size", "stride", "dilation"))
    sizes = zip(at, *options, _before(module, len(input)), strict=True)
    return [
        range(i * step - pad, i * step - pad + kernel * gap, gap)
        for i, kernel, step, gap, pad in sizes
    ]


def _each(module: Any, name: str, dims: int) -> tuple[int, ...]:
    value = getattr(module, name, 1)
    return tuple(value) if isinstance(value, tuple | list) else (int(value),) * dims


def _before(module: Any, dims: int) -> tuple[int, ...]:
    """The padding before each side."""
    if module.padding == "valid":
        return (0,) * dims
    if module.padding != "same":
        return _each(module, "padding", dims)
    sides = zip(_each(module, "kernel_size", dims), _each(module, "dilation", dims), strict=True)
    return tuple(gap * (kernel - 1) // 2 for kernel, gap in sides)


def taken(image: Tensor, window: Sequence[range], *, mode: str, outside: float) -> Tensor:
    """The values of a window, (C, *sides) in, (C, *window) out; `outside` is zero padding."""
    pads = [
        (max(0, -w[0]), max(0, w[-1] - side + 1))
        for w, side in zip(window, image.shape[1:], strict=True)
    ]
    flat = [pad for both in reversed(pads) for pad in both]
    if mode == "zeros":
        image = functional.pad(image, flat, value=outside)
    elif any(flat):
        image = functional.pad(image[None], flat, mode=mode)[0]
    for dim, (positions, (before, _)) in enumerate(zip(window, pads, strict=True), 1):
        image = image.index_select(dim, torch.tensor([p + before for p in positions]))
    return image


def position_of(flat: int, window: Sequence[range]) -> tuple[int, ...]:
    """The position in the input of a value of a window, counted row by row."""
    return list(product(*window))[flat]
