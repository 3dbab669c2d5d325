"""What a module in its place costs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from cnnctl.model.layer import Layer, Shape, size_of


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


def told_cost(layer: Layer, input: Shape, output: Shape) -> Cost | None:
    """The cost of a layer that tells it; None of all others, whose modules have to be run.

    To run a module on the meta device loads 200 MB of torch's own code at the first operation.
    """
    multiply_adds = layer.multiply_adds(input, output)
    if multiply_adds is None:
        return None
    return Cost(multiply_adds, 0 if layer.is_view else size_of(output))


def kernel_of(module: nn.Module, input: Shape) -> tuple[int, ...] | None:
    """The window of a convolution or a pooling; None of what has none."""
    kernel = getattr(module, "kernel_size", None)
    if isinstance(kernel, int):
        return (kernel,) * (len(input) - 1)
    is_window = isinstance(kernel, tuple) and all(isinstance(side, int) for side in kernel)
    return kernel if is_window else None
