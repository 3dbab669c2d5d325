"""How fast this machine trains, by a rule: what it has, never how busy it is."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cnnctl.device import fastest_precision, pick_device
from cnnctl.proposals.document import counted

TWO_CORES = 35e9
"""Multiply-adds a second of two CPU cores with AVX2, measured with ResNets at 32 pixels."""
BF16 = 1.5
"""How many times faster it is with instructions for bf16: by AMX, steps of ResNet-9 took half of
fp32's time, or three quarters of it when others used the host of the two virtual cores."""
SCALING = 0.8
"""Twice the cores train so many powers of two faster: small networks keep few of them busy."""
GPU_SPEEDS = {"bf16": 10e12, "fp32": 3e12}
"""Multiply-adds a second of a GPU by its precision: a fifth of what a medium one can do, since
small networks do not keep it busy."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What trains."""

    name: str
    """For comments: `2 CPU cores`."""
    speed: float
    """Multiply-adds a second."""
    is_gpu: bool = False


def cpu(cores: int, precision: str = "fp32") -> Machine:
    """A CPU of so many cores whose fastest precision is this one."""
    speed = TWO_CORES * (cores / 2) ** SCALING
    if precision == "bf16":
        return Machine(f"{counted(cores, 'CPU core')} with bf16", speed * BF16)
    return Machine(counted(cores, "CPU core"), speed)


def gpu(precision: str) -> Machine:
    """A GPU whose fastest precision is this one."""
    return Machine(f"a GPU with {precision}", GPU_SPEEDS[precision], is_gpu=True)


def this_machine() -> Machine:
    """The machine that an experiment is trained on if it does not name a device."""
    device = pick_device("auto")
    if device.type == "cuda":
        return gpu(fastest_precision(device))
    return cpu(torch.get_num_threads(), fastest_precision(device))
