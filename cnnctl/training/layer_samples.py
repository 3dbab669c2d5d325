"""Values drawn from the tensors of each layer, for histograms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from cnnctl.training.layer_statistics import layers_of, own_weights

ROWS, VALUES = 16, 2048
"""Rows of a tensor that values are taken from, and values of it at most."""


class LayerSamples:
    """Evenly spaced values of tensors, by `GROUP/LAYER`; they stay on the device until read."""

    def __init__(self) -> None:
        self._parts: dict[str, Tensor] = {}

    def add(self, name: str, tensor: Tensor) -> None:
        """Take values of a tensor (N, ...); a second one of the same name takes its place."""
        self._parts[name] = spaced(tensor)

    def add_weights(self, network: nn.Module) -> None:
        """Take values of the weights of every layer, and of their gradients."""
        for name, module in layers_of(network).items():
            for weight in own_weights(module)[:1]:
                self.add(f"weights/{name}", weight.detach())
                if weight.grad is not None:
                    self.add(f"gradients/{name}", weight.grad)

    def read(self) -> Iterator[tuple[str, np.ndarray[tuple[int], np.dtype[np.float32]]]]:
        """The finite values of each tensor by its name; waits for the device once."""
        if not self._parts:
            return
        ends = np.cumsum([part.numel() for part in self._parts.values()])
        values = torch.cat(list(self._parts.values())).numpy(force=True)
        for name, part in zip(self._parts, np.split(values, ends[:-1]), strict=True):
            yield name, part[np.isfinite(part)]


def spaced(tensor: Tensor) -> Tensor:
    """Evenly spaced values of a tensor, at most VALUES of ROWS rows; (V,) float32.

    A stride over the whole of one in channels_last would copy it. The values are copies: a view
    would keep all of the tensor, and activations in place would change it.
    """
    rows = tensor[:: -(-len(tensor) // ROWS)].flatten()
    return rows[:: -(-len(rows) // VALUES)].to(torch.float32, copy=True)
