"""The cost of a module in a network."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from cnnctl.model.layer import Layer, Shape, size_of


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a module for one sample."""

    multiply_adds: int
    """Those of convolutions and matrix products."""
    output_bytes: int
    """0 if the output is a view of the input."""
    is_counted: bool = True
    """Whether all multiply-adds are known."""
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class Part:
    """A module in a network, and its cost."""

    name: str
    module: nn.Module
    input: Shape
    output: Shape
    cost: Cost


def defined_cost(layer: Layer, input: Shape, output: Shape) -> Cost | None:
    """The cost of a layer that defines it; None for others, whose modules have to be run.

    The first module that is run on the meta device loads 200 MB of torch's code.
    """
    multiply_adds = layer.multiply_adds(input, output)
    if multiply_adds is None:
        return None
    return Cost(multiply_adds, 0 if layer.is_view else size_of(output))


def kernel_of(module: nn.Module, input: Shape) -> tuple[int, ...] | None:
    """The kernel size of a convolution or pooling; None for other modules."""
    kernel = getattr(module, "kernel_size", None)
    if isinstance(kernel, int):
        return (kernel,) * (len(input) - 1)
    is_window = isinstance(kernel, tuple) and all(isinstance(side, int) for side in kernel)
    return kernel if is_window else None
