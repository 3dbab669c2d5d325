"""Devices by name, the numbers they compute with, and what happens when their memory is full."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from cnnctl.device import (
    autocast,
    check_precision,
    describe_device,
    keep_freed_memory,
    memory_faults,
    pick_device,
    use_precision,
    use_threads,
)
from cnnctl.errors import ExitCode, FaultError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Precision is a setting of the whole process."""
    matmul = torch.get_float32_matmul_precision()
    cudnn = torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32 = cudnn


@pytest.mark.parametrize("name", ["gpu", "meta", "mps", "cuda:", "cuda:x", "cpu:0\n", ""])
def test_what_is_no_device_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(FaultError, match=r"is not a device\n.*write auto, cpu, cuda or cuda:1"):
        pick_device(name)


@pytest.mark.parametrize(
    ("count", "name", "sees"),
    [
        (0, "cuda", "no GPU"),
        (0, "cuda:0", "no GPU"),
        (1, "cuda:1", "1 GPU"),
        (2, "cuda:2", "2 GPUs"),
    ],
)
def test_a_gpu_that_is_not_there_is_refused(
    count: int, name: str, sees: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    with pytest.raises(FaultError, match=f"no {name}: torch sees {sees}\n"):
        pick_device(name)


def test_a_device_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert pick_device("cuda:1") == torch.device("cuda:1")
    assert pick_device("cpu") == CPU


def test_fp32_is_exact_and_tf32_is_not_asked_for_by_it() -> None:
    use_precision("tf32", CPU)
    assert torch.get_float32_matmul_precision() == "high"
    assert torch.backends.cudnn.allow_tf32
    use_precision("fp32", CPU)
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.allow_tf32


def test_bf16_computes_in_bf16_and_the_others_do_not() -> None:
    layer = torch.nn.Linear(2, 2)
    for precision, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        with autocast(precision, CPU):
            assert layer(torch.ones(1, 2)).dtype == dtype


@pytest.mark.parametrize(("count", "said"), [(1, "CPU, 1 thread"), (4, "CPU, 4 threads")])
def test_the_cpu_is_described_by_its_threads(
    count: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: count)
    assert describe_device(CPU) == said


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        MemoryError(),
        # both are what torch's allocator for CPUs says
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate mem"
            "ory: you tried to allocate 128000000000 bytes. Error code 12"
        ),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes."),
    ],
)
def test_no_memory_left_is_a_fault_with_the_batch_size(error: Exception) -> None:
    with pytest.raises(FaultError) as caught, memory_faults(CPU, batch_size="data.batch_size=64"):
        raise error
    assert caught.value.exit_code is ExitCode.OUT_OF_MEMORY
    assert "out of memory on cpu with data.batch_size=64" in str(caught.value)
    assert "use a smaller data.batch_size" in str(caught.value)


def test_an_allocation_that_no_machine_has_room_for_is_such_a_fault() -> None:
    with pytest.raises(FaultError), memory_faults(CPU, batch_size="--batch-size=8"):
        torch.empty(2**48)


def test_other_errors_are_left_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_faults(CPU, batch_size="x=1"):
        raise RuntimeError("shapes do not match")


def test_more_threads_than_the_system_gives_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    running: list[threading.Thread] = []

    def limited(thread: threading.Thread) -> None:
        if len(running) == 40:
            raise RuntimeError("can't start new thread")
        running.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    with pytest.raises(FaultError) as raised:
        use_threads(64)
    [fault] = raised.value.faults
    assert (fault.message, fault.path) == (
        "the system limits this process to 40 threads",
        ("train", "threads"),
    )
    assert not any(thread.is_alive() for thread in running)


@pytest.mark.skipif(sys.platform != "linux", reason="only the C library of GNU has the settings")
@pytest.mark.parametrize("has_settings", [True, False])
def test_freed_memory_is_kept_where_the_c_library_can(
    has_settings: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to = dict[int, int]()
    library = SimpleNamespace(mallopt=set_to.__setitem__) if has_settings else SimpleNamespace()
    monkeypatch.setattr("ctypes.CDLL", lambda _: library)
    keep_freed_memory()
    # M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD of malloc.h
    assert set(set_to) == ({-1, -2, -3} if has_settings else set())


@pytest.mark.parametrize(
    ("device", "is_ampere", "lacks"),
    [("cpu", True, ["tf32"]), ("cuda", True, []), ("cuda", False, ["tf32", "bf16"])],
)
def test_a_precision_that_the_device_lacks_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, device: str, is_ampere: bool, lacks: list[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: is_ampere)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "a GPU")
    refused = []
    for precision in ("fp32", "tf32", "bf16"):
        try:
            check_precision(precision, torch.device(device))
        except FaultError as error:
            assert error.faults[0].path == ("train", "precision")
            refused.append(precision)
    assert refused == lacks


@pytest.mark.parametrize(("asked", "estimate"), [("64", 16), ("all", 1024)])
def test_the_fault_names_the_batch_size_that_would_fit(asked: str, estimate: int) -> None:
    option = f"data.batch_size={asked}"
    with (
        pytest.raises(FaultError) as caught,
        memory_faults(CPU, batch_size=option, largest=lambda: estimate),
    ):
        raise MemoryError
    [fault] = caught.value.faults
    assert fault.message == f"out of memory on cpu with {option}; {estimate:,} would fit"
    assert fault.hint.startswith(f"use data.batch_size={estimate}, ")


@pytest.mark.parametrize("estimate", [None, 64, 128])
def test_an_estimate_that_contradicts_the_error_is_not_named(estimate: int | None) -> None:
    with (
        pytest.raises(FaultError) as caught,
        memory_faults(CPU, batch_size="data.batch_size=64", largest=lambda: estimate),
    ):
        raise MemoryError
    assert caught.value.faults[0].message == "out of memory on cpu with data.batch_size=64"


def test_the_tensors_of_the_failed_step_are_freed_before_the_estimate() -> None:
    found = list[object]()

    class Tensor:
        pass

    def step() -> None:
        tensor = Tensor()
        found.append(weakref.ref(tensor))
        raise MemoryError

    def largest() -> None:
        [reference] = found
        assert isinstance(reference, weakref.ref)
        found.append(reference())

    with pytest.raises(FaultError), memory_faults(CPU, batch_size="x=1", largest=largest):
        step()
    assert found[1] is None
