"""Initializers that are measured on the training data when a run begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import prod, sqrt

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from cnnctl.config.bounds import PositiveFloat, PositiveInt
from cnnctl.config.wording import times
from cnnctl.errors import config_fault
from cnnctl.model.initializers import Activation, Initializer

Samples = Callable[[int], Iterable[Tensor]]
"""The inputs of so many training samples, as the network gets them, in parts (N, …)."""


class Whitening(Initializer, kind="whitening"):
    """Principal components of the layer's inputs, scaled to variance 1 (Jordan 2024, airbench)."""

    # Components of the patches that the layer sees come in the order of their variance, first all
    # with one sign, then all with the other. Without data, as in an untrained network from Python,
    # the numbers of a patch count as uncorrelated.

    samples: PositiveInt = 5000
    """Training samples to measure on, spread evenly over the training split, not augmented."""
    eps: PositiveFloat = 5e-4
    """Added to the variance of each component for numerical stability."""

    @property
    def measured_on(self) -> int:
        return self.samples

    def check(self, shape: tuple[int, ...]) -> None:
        if len(shape) < 2:
            raise config_fault("whitening cannot initialise a bias", hint="use zeros or normal")
        size = prod(shape[1:])
        if shape[0] % 2 or shape[0] > 2 * size:
            message = f"whitening cannot initialise {shape[0]} filters of {times(shape[1:])}"
            hint = f"use {2 * size}, two for each of the {size} numbers, or a lower even number"
            raise config_fault(message, hint=hint)

    def fill(self, weight: Tensor, *, activation: Activation, generator: Generator) -> None:
        size = prod(weight.shape[1:])
        self._fill(weight, torch.eye(size, dtype=torch.float64))

    def rms(self, shape: tuple[int, ...], *, activation: Activation) -> float | None:
        return 1 / sqrt(prod(shape[1:]) * (1 + self.eps))

    def fill_measured(self, layer: nn.Module, inputs: Iterable[Tensor]) -> None:
        weight = layer.get_parameter("weight")
        size, count = prod(weight.shape[1:]), 0
        total = torch.zeros(size, size, dtype=torch.float64)
        for part in inputs:
            patches = _patches(layer, part.double(), size)
            total += patches.T @ patches
            count += len(patches)
        self._fill(weight, total / count)

    @torch.no_grad()
    def _fill(self, weight: Tensor, covariance: Tensor) -> None:
        variances, vectors = torch.linalg.eigh(covariance)
        chosen = slice(0, len(weight) // 2)
        variances, vectors = variances.flip(0)[chosen], vectors.T.flip(0)[chosen]
        largest = vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True))
        filters = vectors * largest.sign() / (variances[:, None] + self.eps).sqrt()
        weight.copy_(torch.cat([filters, -filters]).reshape(weight.shape))


def _patches(layer: nn.Module, inputs: Tensor, size: int) -> Tensor:
    """What the rows of a layer's weight are multiplied with, (patches, size), without padding."""
    if not isinstance(layer, nn.Conv1d | nn.Conv2d):
        return inputs.reshape(-1, size)
    sides = (1,) * (2 - len(layer.kernel_size))  # a signal is an image of one row
    images = inputs.reshape(*inputs.shape[:2], *sides, *inputs.shape[2:])
    kernel, dilation = (*sides, *layer.kernel_size), (*sides, *layer.dilation)
    unfolded = functional.unfold(images, kernel, dilation=dilation)  # (N, C * kernel, places)
    groups = unfolded.shape[1] // size
    return unfolded.reshape(-1, groups, size, unfolded.shape[2]).movedim(2, -1).reshape(-1, size)


def fill_measured(
    network: nn.Sequential, layers: Sequence[tuple[str, Initializer]], samples: Samples
) -> None:
    """Initialise the weights of these layers, by name, from their inputs, one after the other."""
    for name, initializer in layers:
        layer = network.get_submodule(name)
        parts = samples(initializer.measured_on)
        initializer.fill_measured(layer, _inputs_of(layer, network, parts))


class _ReachedError(Exception):
    """The network has come to the layer."""


@torch.no_grad()
def _inputs_of(layer: nn.Module, network: nn.Module, parts: Iterable[Tensor]) -> Iterator[Tensor]:
    seen: list[Tensor] = []

    def look(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen.append(given[0])
        raise _ReachedError

    was_training, hook = network.training, layer.register_forward_pre_hook(look)
    network.eval()
    try:
        for part in parts:
            try:
                network(part)
            except _ReachedError:
                yield seen.pop()
    finally:
        hook.remove()
        network.train(was_training)
