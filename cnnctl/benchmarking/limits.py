"""What a machine can do at most, measured: products, convolutions and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cnnctl.benchmarking.facts import Limits
from cnnctl.device import use_precision

REPEATS = 5
"""Times that each is measured; the best counts, since a limit is looked for."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes at which a device is at its best."""

    matrix: int
    """Rows and columns."""
    images: int
    channels: int
    side: int


CPU, GPU = Sizes(1024, images=16, channels=128, side=28), Sizes(8192, 256, 256, 28)
KERNEL = 3
LEAST_MOVED, MOST_MOVED = 2**20, 2**26
"""Bytes of each tensor that is added: at least what a cache close to a core holds, and no more than
what surely is in memory."""


def measured_limits(device: torch.device, precision: str, *, tensor_bytes: int) -> Limits:
    """Measure a device in a precision.

    tensor_bytes: the size of the tensors that a step moves, on which depends whether they come from
        a cache or from memory.
    """
    sizes = GPU if device.type == "cuda" else CPU
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    use_precision(precision, device)
    with torch.inference_mode():
        return Limits(
            matrix_product=_matrix_products(sizes, dtype, device),
            convolution=_convolutions(sizes, dtype, device),
            bandwidth=_bandwidth(min(max(tensor_bytes, LEAST_MOVED), MOST_MOVED), device),
        )


def _matrix_products(sizes: Sizes, dtype: torch.dtype, device: torch.device) -> float:
    n = sizes.matrix
    one, other = (torch.ones(n, n, dtype=dtype, device=device) for _ in range(2))
    out = torch.empty_like(one)
    return n**3 / _least_seconds(lambda: torch.mm(one, other, out=out), device)


def _convolutions(sizes: Sizes, dtype: torch.dtype, device: torch.device) -> float:
    shape = sizes.images, sizes.channels, sizes.side, sizes.side
    weight_shape = sizes.channels, sizes.channels, KERNEL, KERNEL
    images, weight = (
        torch.ones(each, dtype=dtype, device=device).to(memory_format=torch.channels_last)
        for each in (shape, weight_shape)
    )
    multiply_adds = images.numel() * sizes.channels * KERNEL**2
    seconds = _least_seconds(lambda: functional.conv2d(images, weight, padding=KERNEL // 2), device)
    return multiply_adds / seconds


def _bandwidth(size: int, device: torch.device) -> float:
    """Bytes a second of STREAM's `add`: two tensors are read and one is written."""
    one, other, out = (torch.ones(size // 4, device=device) for _ in range(3))
    return 3 * size / _least_seconds(lambda: torch.add(one, other, out=out), device)


def _least_seconds(compute: Callable[[], Tensor], device: torch.device) -> float:
    """The least time of a call, of which several are timed together where one is short."""
    compute()  # which allocates, chooses an algorithm and starts threads
    count = max(1, round(0.01 / _seconds(compute, 1, device)))
    return min(_seconds(compute, count, device) for _ in range(REPEATS))


def _seconds(compute: Callable[[], Tensor], count: int, device: torch.device) -> float:
    _wait(device)
    start = time.perf_counter()
    for _ in range(count):
        compute()
    _wait(device)
    return (time.perf_counter() - start) / count


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
