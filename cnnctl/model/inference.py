"""Inference of output shapes on the meta device, where nothing is allocated."""

from __future__ import annotations

from math import prod

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnctl.errors import FaultError, config_fault
from cnnctl.model.layer import Layer, Shape, describe_shape

MAX_VALUES = 10**12
"""Limit on the weights of a layer, and on its output for one sample: 4 TB of float32.

Products of a few such numbers still fit in 64 bits.
"""


def infer_output(layer: Layer, input: Shape) -> Shape:
    """The output shape of a layer."""
    try:
        with torch.device("meta"):
            module = layer.build(input)
            output = layer.infer(input) or _rehearse(module, input)
            _check_weights(module)
    except (TypeError, OverflowError) as error:  # torch's message for sizes beyond 64 bits
        if "overflow" not in str(error).lower():
            raise
        raise _too_many(f"{layer.kind} on {describe_shape(input)}") from None
    except (RuntimeError, ValueError, IndexError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        message = f"{layer.kind} does not fit {describe_shape(input)}: {reason}"
        hint = "change its options or the layers before it"
        raise config_fault(message, hint=hint) from None
    if min(output) < 1:
        message = f"the output for {describe_shape(input)} is empty"
        raise config_fault(message, hint="use smaller windows, or a larger data.size")
    return bounded(output)


def bounded(output: Shape) -> Shape:
    """The same shape, unless its values exceed the limit."""
    if prod(output) > MAX_VALUES:
        raise _too_many(describe_shape(output))
    return output


def _check_weights(module: nn.Module) -> None:
    count = sum(weight.numel() for weight in module.parameters())
    if count > MAX_VALUES:
        raise _too_many(f"{count:,} weights")


def _too_many(what: str) -> FaultError:
    message = f"{what}: more than {MAX_VALUES:,} values"
    return config_fault(message, hint="use smaller widths, windows or paddings")


def _rehearse(module: nn.Module, input: Shape) -> Shape:
    """Run a module on the meta device; the first such run loads 150 MB of torch's code."""
    # two samples, since batch norm rejects a single one
    output = rehearsing(module)(torch.empty(2, *input, device="meta"))
    return tuple(output.shape[1:])


def rehearsing(module: nn.Module) -> nn.Module:
    """A module prepared to be run on the meta device, where batches cannot be counted."""
    for part in module.modules():
        if isinstance(part, _BatchNorm) and part.momentum is None:
            part.momentum = 0.1
    return module
