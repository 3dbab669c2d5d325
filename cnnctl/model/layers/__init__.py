"""The layer kinds: one class each, with its fields and its build.

A new layer is one class in one of these files.
"""

from cnnctl.model.layers import (
    activations,
    channel_activations,
    convolution,
    dropout,
    linear,
    normalization,
    pooling,
    shape,
    torchvision_models,
)

__all__ = [
    "activations",
    "channel_activations",
    "convolution",
    "dropout",
    "linear",
    "normalization",
    "pooling",
    "shape",
    "torchvision_models",
]
