"""Device, threads and precision."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from cnnctl.errors import ExitCode, Fault, FaultError, config_fault
from cnnctl.world import World

MALLOC_OPTIONS = {-3: 2**25, -1: 2**31 - 1, -2: 2**26}
"""Of malloc.h: M_MMAP_THRESHOLD at its largest, and M_TRIM_THRESHOLD and M_TOP_PAD, in bytes."""
NAMED = r"cpu|cuda(:[0-9]{1,2})?"
"""Device names other than `auto`."""


def pick_device(name: str) -> torch.device:
    """The device of this name; `auto` is the first GPU, or else the CPU.

    Raises:
        FaultError: it is not a device, or a GPU that is not available.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(NAMED, name):
        raise config_fault(f"{name} is not a device", hint="write auto, cpu, cuda or cuda:1")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= (count := torch.cuda.device_count()):
        message = f"no {name}: torch sees {count or 'no'} GPU{'s' if count > 1 else ''}"
        raise config_fault(message, hint="use cpu")
    return device


def own_device(name: str, rank: int) -> torch.device:
    """The device of one of several ranks of a machine: the GPU of its number, or the CPU.

    Raises:
        FaultError: there are fewer GPUs than ranks, or all of them are given the same one.
    """
    if name == "cpu":
        return torch.device("cpu")
    if name != "cuda":
        message = f"several ranks cannot share {name}"
        raise config_fault(message, hint="write cuda, of which each rank takes one")
    device = pick_device(f"cuda:{rank}")
    torch.cuda.set_device(device)
    return device


def use_part_of_machine(device: str, world: World) -> str:
    """The device of this rank for an option `--device`, with its part of the CPU's cores.

    Raises:
        FaultError: there are fewer GPUs than ranks, or all of them are given the same one.
    """
    if world.size == 1:
        return device
    torch.set_num_threads(threads_of_one(world.local_size))
    return str(
        own_device(pick_device(device).type if device == "auto" else device, world.local_rank)
    )


def threads_of_one(ranks: int) -> int:
    """CPU threads for each of so many ranks of this machine: its part of the cores.

    One process gets torch's default. torchrun gives several a single thread each.
    """
    if ranks == 1:
        return torch.get_num_threads()
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, allowed // ranks)


def fastest_precision(device: torch.device) -> str:
    """bf16 if the device is faster with it, otherwise fp32."""
    if device.type == "cuda":
        return "bf16" if _is_ampere_or_newer() else "fp32"
    return "bf16" if is_faster_with_bf16() else "fp32"


def _is_ampere_or_newer() -> bool:
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def check_precision(precision: str, device: torch.device) -> None:
    """Check that a device computes in this precision; every CPU has bf16, however slow.

    Raises:
        FaultError: it does not.
    """
    if device.type == "cuda":
        lacks = precision != "fp32" and not _is_ampere_or_newer()
    else:
        lacks = precision == "tf32"
    if lacks:
        message = f"{describe_device(device)} does not compute in {precision}"
        since = "; GPUs have it from Ampere (compute capability 8.0) on"
        path = ("train", "precision")
        raise config_fault(message, hint=f"use auto or fp32{since}", path=path)


def use_threads(count: int) -> None:
    """Compute with this many CPU threads from now on.

    Raises:
        FaultError: the system allows fewer; a computation that uses more would kill the process.
    """
    if count > (os.cpu_count() or 1) and (given := _threads_given(count)) < count:
        message = f"the system limits this process to {given:,} threads"
        hint = "use auto, or raise the limit (ulimit -u)"
        raise config_fault(message, hint=hint, path=("train", "threads"))
    torch.set_num_threads(count)


def _threads_given(count: int) -> int:
    """Number of threads that can be started, up to this many."""
    over = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(count):
            started.append(threading.Thread(target=over.wait))
            started[-1].start()
    except RuntimeError:  # can't start new thread
        del started[-1]
    finally:
        over.set()
        for thread in started:
            thread.join()
    return len(started)


def is_faster_with_bf16() -> bool:
    """Whether this CPU multiplies more bf16 than float32 numbers a second.

    AMX does, and so does AVX512_BF16, except for Intel's, which multiplies half as often: without
    AMX, as on some virtual machines, ResNet-9 ran at 0.6 to 1.0 of fp32's speed.
    """
    capabilities = torch.cpu.get_capabilities()
    is_intel = "Intel" in str(capabilities.get("cpu_name", ""))
    return bool(capabilities.get("amx_bf16") or (capabilities.get("avx512_bf16") and not is_intel))


def keep_freed_memory() -> None:
    """Let the C library keep the memory that tensors free, rather than ask the system for it again.

    The system clears what it gives: ResNet-9 on two cores spent a fifth of its time on that, and
    was 1.1 to 1.3 times as fast without. Only glibc has these settings.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, size in MALLOC_OPTIONS.items():
            mallopt(option, size)


def give_back_freed() -> None:
    """Give the memory that is free, but kept, back to the system, if the C library can."""
    gc.collect()
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def use_precision(precision: str, device: torch.device) -> None:
    """Enable or disable tf32 in matrix products, for the whole process."""
    torch.set_float32_matmul_precision("highest" if precision == "fp32" else "high")
    torch.backends.cudnn.allow_tf32 = precision != "fp32"


@contextmanager
def settings_restored() -> Iterator[None]:
    """Restore what training and prediction set for the whole process: random states included.

    Inside, gradients are recorded, and tensors are float32 on the CPU, whatever the caller chose.
    What C libraries were told stays: to keep freed memory, and what they read when they start.
    """
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    is_deterministic = torch.are_deterministic_algorithms_enabled()
    only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn
    flags = cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32
    gpus = range(len(torch.cuda.default_generators))  # none before CUDA is initialised
    with torch.random.fork_rng(devices=gpus), _usual_tensors():
        try:
            yield
        finally:
            cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32 = flags
            torch.use_deterministic_algorithms(is_deterministic, warn_only=only_warns)
            torch.set_float32_matmul_precision(precision)
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)


@contextmanager
def _usual_tensors() -> Iterator[None]:
    """Make tensors as torch does by default."""
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    torch.set_default_dtype(torch.float32)
    if device.type != "cpu":
        torch.set_default_device(None)
    was_set = torch.get_default_device() != device  # and not by `with torch.device(…)`
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(dtype)
        if was_set:
            torch.set_default_device(device)


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """A context in which forward passes compute in bf16, if that is the precision."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def describe_device(device: torch.device) -> str:
    """The display name of the device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"


@contextmanager
def memory_faults(
    device: torch.device,
    *,
    batch_size: str = "",
    largest: Callable[[], int | None] | None = None,
) -> Iterator[None]:
    """Turn out-of-memory errors into faults with exit code 8.

    batch_size: the option that sets it, with its value, like `data.batch_size=64`, if relevant.
    largest: estimates the largest batch size that fits, if any does.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        message, hint = f"out of memory on {device}", "use another device or a smaller network"
        if batch_size:
            message = f"{message} with {batch_size}"
            option, _, size = batch_size.partition("=")
            hint = f"use a smaller {option}, smaller images or a smaller network"
            traceback.clear_frames(error.__traceback__)  # which hold the tensors of the step
            give_back_freed()
            fitting = largest() if largest else None
            # an estimate that contradicts the error is worth nothing
            if fitting and (size == "all" or fitting < int(size)):
                message = f"{message}; {fitting:,} would fit"
                hint = f"use {option}={fitting}, smaller images or a smaller network"
        fault = Fault(message=message, hint=hint)
        raise FaultError(fault, exit_code=ExitCode.OUT_OF_MEMORY) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means out of memory; the CPU allocator's has no type of its own."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)
