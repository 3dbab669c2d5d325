"""Batch norm over the batch of all ranks; nn.SyncBatchNorm refuses a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnctl.world import World


class _SumOverRanks(torch.autograd.Function):
    """The sum over the ranks, whose gradient is the sum of their gradients."""

    @staticmethod
    def forward(context: Any, tensor: Tensor, world: World) -> Tensor:
        context.world = world
        return world.sum_(tensor.clone())

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return context.world.sum_(gradient.contiguous().clone()), None


def normalize_over_ranks(module: _BatchNorm, world: World, inputs: Tensor) -> Tensor:
    """What batch norm gives for (N, C, …) inputs that are a part of a larger batch; in training.

    Mean and variance, and the running ones, are those of the batch of all ranks. The variance is
    that of centred values, since a difference of large sums would lose its digits.
    """
    dims = [dim for dim in range(inputs.ndim) if dim != 1]
    shape = [1, -1, *[1] * (inputs.ndim - 2)]
    values = inputs.float()
    size = values.new_full((1,), inputs.numel() / inputs.shape[1])
    count = world.sum_(size)
    mean = _sum(values.sum(dims), world) / count
    centred = values - mean.view(shape)
    variance = _sum(centred.square().sum(dims), world) / count
    _keep(module, mean.detach(), variance.detach() * count / (count - 1))
    scaled = centred * (variance + module.eps).rsqrt().view(shape)
    if module.affine:
        scaled = scaled * module.weight.view(shape) + module.bias.view(shape)
    return scaled.to(inputs.dtype)


def _sum(tensor: Tensor, world: World) -> Tensor:
    summed: Tensor = _SumOverRanks.apply(tensor, world)
    return summed


@torch.no_grad()
def _keep(module: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Update the running statistics, as torch does."""
    if module.running_mean is None or module.running_var is None:
        return
    assert module.num_batches_tracked is not None
    module.num_batches_tracked.add_(1)
    momentum = module.momentum
    share = 1 / float(module.num_batches_tracked) if momentum is None else momentum
    module.running_mean.lerp_(mean, share)
    module.running_var.lerp_(variance, share)


@contextmanager
def synchronized(network: nn.Module, world: World) -> Iterator[None]:
    """Within it, the batch norms in training mode use the batch of all ranks.

    It holds for a forward pass that all ranks take; what looks at the network on one of them, such
    as `train.watch`, must not wait for the others.
    """
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.training]
    for norm in norms:
        vars(norm)["forward"] = partial(normalize_over_ranks, norm, world)
    try:
        yield
    finally:
        for norm in norms:
            del vars(norm)["forward"]
