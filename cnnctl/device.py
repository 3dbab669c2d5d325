"""The device that work is done on, and the numbers it computes with."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from cnnctl.errors import config_fault


def pick_device(name: str) -> torch.device:
    """`auto` is the first GPU, or the CPU where there is none.

    Raises:
        FaultError: a GPU is asked for that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        message = f"no {name} here; torch sees {torch.cuda.device_count()} GPUs"
        raise config_fault(message, cure="use auto or cpu", path=("train", "device"))
    return device


def pick_precision(name: str, device: torch.device) -> str:
    """`auto` is bf16 where the device computes it natively, tf32 on older GPUs, else fp32."""
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "tf32"
    return "bf16" if has_native_bf16() else "fp32"


def has_native_bf16() -> bool:
    """Whether this CPU multiplies bf16 matrices itself (AVX512_BF16 or AMX)."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def use_precision(precision: str, device: torch.device) -> None:
    """Let matrix products use tf32, or not; a setting of the whole process."""
    torch.set_float32_matmul_precision("highest" if precision == "fp32" else "high")
    torch.backends.cudnn.allow_tf32 = precision != "fp32"


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """A context in which forward passes compute in bf16, or as they are."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def synchronize(device: torch.device) -> None:
    """Wait for everything that was sent to the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def describe_device(device: torch.device) -> str:
    """The device as people call it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"
