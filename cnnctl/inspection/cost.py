"""What torch's own modules cost, worked out from shapes; nothing is run for it.

To run a module on the meta device loads 200 MB of torch's own code at the first operation.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import nn

from cnnctl.model.layer import Shape
from cnnctl.model.modules import (
    ChannelNorm,
    Chunk,
    GlobalAvgPool,
    GlobalMaxPool,
    LayerScale,
    Maxout,
    PadChannels,
)

NUMBER = 4
"""Bytes of a float32."""

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
VIEWS = (nn.Flatten, nn.Unflatten, nn.Identity, Chunk)
"""Modules whose output is the memory of their input."""
_OWN = (ChannelNorm, GlobalAvgPool, GlobalMaxPool, LayerScale, Maxout, PadChannels)
_WITHOUT_PRODUCTS = frozenset(
    {
        "torchvision.ops.stochastic_depth",
        *(
            f"torch.nn.modules.{name}"
            for name in (
                "activation", "batchnorm", "channelshuffle", "dropout", "flatten", "instancenorm",
                "normalization", "padding", "pixelshuffle", "pooling", "upsampling",
            )
        ),
    }
)  # fmt: skip
"""Where modules are defined that multiply no matrices and convolve nothing."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a module costs for one sample."""

    multiply_adds: int
    """Of convolutions and matrix products."""
    output_bytes: int
    """None where the output is the input, looked at in another way."""
    is_counted: bool = True
    """Whether all its multiply-adds are known."""
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class Part:
    """A module in its place, and its cost."""

    name: str
    module: nn.Module
    input: Shape
    output: Shape
    cost: Cost


def known_cost(module: nn.Module, input: Shape, output: Shape) -> Cost | None:
    """The cost of a module of torch's own or of ours; None of all others, which have to be run.

    A class that is derived from one of torch's may do something else, so it is another.
    """
    multiply_adds = _multiply_adds(module, input, output)
    if multiply_adds is None or next(module.children(), None) is not None:
        return None
    return Cost(multiply_adds, 0 if isinstance(module, VIEWS) else prod(output) * NUMBER)


def _multiply_adds(module: nn.Module, input: Shape, output: Shape) -> int | None:
    """Every weight is used once at every place of the window, or for every vector."""
    kind = type(module)
    if kind in CONVOLUTIONS:
        return _weights(module) * prod(output[1:])
    if kind in TRANSPOSED:
        return _weights(module) * prod(input[1:])
    if kind is nn.Linear:
        return _weights(module) * prod(output[:-1])
    is_free = kind in (*VIEWS, *_OWN) or kind.__module__ in _WITHOUT_PRODUCTS
    return 0 if is_free else None


def _weights(module: nn.Module) -> int:
    weight = module.weight
    assert isinstance(weight, nn.Parameter)
    return weight.numel()


def kernel_of(module: nn.Module, input: Shape) -> tuple[int, ...] | None:
    """The window of a convolution or a pooling; None of what has none."""
    kernel = getattr(module, "kernel_size", None)
    if isinstance(kernel, int):
        return (kernel,) * (len(input) - 1)
    is_window = isinstance(kernel, tuple) and all(isinstance(side, int) for side in kernel)
    return kernel if is_window else None
