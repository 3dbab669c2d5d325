"""torch.compile: whether it is available, and continuing without it if it fails."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

Answers = tuple[Tensor, ...]
"""What teachers answer to a batch; empty without distillation."""
Forward = Callable[[Tensor, Tensor, Answers], tuple[Tensor, Tensor]]
"""(inputs, targets, answers) -> (outputs, losses)."""
Propagate = Callable[[Tensor, Tensor, Answers, Tensor], tuple[Tensor, Tensor]]
"""(inputs, targets, answers, factors of the losses) -> (outputs, losses); adds to the gradients."""
Failed = Callable[[str], None]
"""Called with the reason if compiling fails."""
Mark = Callable[[str], object]
"""Called with the name of each part of a step as it begins: `forward`, `backward`, `optimizer`."""


CACHE = "TORCHINDUCTOR_CACHE_DIR"


def unmarked(part: str) -> None:
    """Do nothing; see `Mark`."""


def propagate(
    forward: Forward,
    inputs: Tensor,
    targets: Tensor,
    answers: Answers,
    factors: Tensor,
    *,
    mark: Mark = unmarked,
) -> tuple[Tensor, Tensor]:
    """Run the forward and the backward pass; see `Propagate`."""
    mark("forward")
    outputs, losses = forward(inputs, targets, answers)
    mark("backward")
    losses.backward(factors)  # type: ignore[no-untyped-call]
    mark("optimizer")
    return outputs, losses.detach()


class Compiled:
    """A `Propagate` whose forward pass is compiled at the first call.

    New shapes and layers are compiled later, and the backward pass separately from the forward
    pass, so compiling can fail at any call. From that call on, it runs uncompiled.
    """

    def __init__(
        self,
        forward: Forward,
        *,
        mode: str | None,
        failed: Failed,
        mark: Mark = unmarked,
        sizes: int = 1,
    ) -> None:
        """`sizes` is the number of sizes of inputs that will come."""
        # it warns about an nvcc without a GPU
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        self.plain = forward
        # dynamic shapes would be compiled at the last, smaller batch, and used for all batches from
        # then on: slower, and with other kernels than a resumed run uses before its last batch
        self.fast: Forward | None = torch.compile(forward, dynamic=False, mode=mode)
        allow_shapes(2 * sizes)  # of whole batches, and of the last one
        self.failed = failed
        self.mark = mark

    def __call__(
        self, inputs: Tensor, targets: Tensor, answers: Answers, factors: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Run both passes."""
        from torch._dynamo.exc import TorchDynamoException  # slow to import

        if self.fast is not None:
            try:
                return propagate(self.fast, inputs, targets, answers, factors, mark=self.mark)
            except (TorchDynamoException, OSError) as error:
                self.fast = None
                self.failed(str(error).strip().partition("\n")[0])
        return propagate(self.plain, inputs, targets, answers, factors, mark=self.mark)


def allow_shapes(count: int) -> None:
    """Let torch compile a function for so many shapes; by default, it gives up after eight."""
    from torch._dynamo import config  # slow to import

    config.recompile_limit = max(config.recompile_limit, count)


def use_cache_folder() -> None:
    """Let torch's compiler use its default cache folder if its variable names no usable one.

    torch's optimizers create that folder, too, and fail if they cannot.
    """
    asked = os.environ.get(CACHE)
    if asked is None:
        return
    try:
        Path(asked).mkdir(parents=True, exist_ok=True)
        is_writable = os.access(asked, os.W_OK | os.X_OK)
    except (OSError, ValueError):
        is_writable = False
    if not is_writable:
        del os.environ[CACHE]


def can_compile(device: torch.device) -> bool:
    """Whether torch.compile has the compiler it needs: a C++ one for CPUs, triton for GPUs.

    triton requires GPUs from Volta (compute capability 7.0) on.
    """
    if sys.platform == "win32":
        return False
    if device.type == "cuda":
        has_triton = find_spec("triton") is not None
        return has_triton and torch.cuda.get_device_capability(device) >= (7, 0)
    return any(map(shutil.which, ("g++", "c++", "clang++")))
