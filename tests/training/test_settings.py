"""Each `auto` is settled by a rule that asks for the machine and the network, never for a clock."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cnnctl.errors import FaultError
from cnnctl.experiment import Experiment, Train, check
from cnnctl.training import settings
from cnnctl.training.settings import settle
from tests.training.conftest import experiment_of

CONV = [{"conv": {"out_channels": 64, "kernel_size": 3}}, "flatten", {"linear": "classes"}]
LINEAR = ["flatten", {"linear": "classes"}]


class Machine:
    """A machine that torch takes this one for."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.has_cpu()

    def has_cpu(self, *, bf16: str = "", compiler: str = "g++") -> None:
        capabilities = {"avx512_bf16": False, "amx_bf16": False, **({bf16: True} if bf16 else {})}
        self.patch.setattr("torch.cuda.is_available", lambda: False)
        self.patch.setattr("torch.cuda.device_count", lambda: 0)
        self.patch.setattr("torch.cpu.get_capabilities", lambda: capabilities)
        self.patch.setattr("shutil.which", lambda name: name if name == compiler else None)
        self.patch.setattr("sys.platform", "linux")

    def has_gpu(self, *, bf16: bool = True, capability: int = 9, triton: bool = True) -> None:
        found = object() if triton else None
        self.patch.setattr("torch.cuda.is_available", lambda: True)
        self.patch.setattr("torch.cuda.device_count", lambda: 1)
        self.patch.setattr("torch.cuda.get_device_capability", lambda device: (capability, 0))
        self.patch.setattr(
            "torch.cuda.is_bf16_supported", lambda including_emulation: bf16 or including_emulation
        )
        self.patch.setattr(settings, "find_spec", lambda name: found)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def experiment(layers: list[Any] = CONV, data: str = "digits", **train: Any) -> Experiment:
    """An experiment that leaves all of `train` to the rules but what is given."""
    free = {"device": "auto", "precision": "auto", "compile": "auto", **train}
    loss = {"loss": "mse"} if data == "diabetes" else {}
    return experiment_of(
        {"data": {"name": data}, "model": {"layers": layers}, **loss, "train": free}
    )


def settled(asked: Experiment) -> Train:
    return settle(asked, *check(asked)).train


def test_a_plain_cpu_gets_what_it_computes_itself(machine: Machine) -> None:
    train = settled(experiment())
    assert (train.device, train.precision) == ("cpu", "fp32")
    assert train.threads == torch.get_num_threads()


@pytest.mark.parametrize("unit", ["avx512_bf16", "amx_bf16"])
def test_a_cpu_that_multiplies_bf16_gets_bf16(machine: Machine, unit: str) -> None:
    machine.has_cpu(bf16=unit)
    assert settled(experiment()).precision == "bf16"


def test_a_gpu_is_taken_where_there_is_one(machine: Machine) -> None:
    machine.has_gpu()
    train = settled(experiment())
    assert (train.device, train.precision) == ("cuda", "bf16")


def test_an_older_gpu_gets_tf32(machine: Machine) -> None:
    machine.has_gpu(bf16=False, capability=7)
    assert settled(experiment()).precision == "tf32"


def test_images_under_convolutions_lie_channels_last(machine: Machine) -> None:
    assert settled(experiment(CONV)).memory_format == "channels_last"
    assert settled(experiment(LINEAR)).memory_format == "contiguous_format"


def test_classes_are_chosen_by_accuracy_and_values_by_loss(machine: Machine) -> None:
    assert settled(experiment()).monitor == "accuracy"
    assert settled(experiment([{"linear": 1}], data="diabetes")).monitor == "loss"


def test_only_long_runs_are_compiled(machine: Machine) -> None:
    # 64 * 36 * 9 + 2304 * 10 multiply-adds, three times, of 1,293 samples: 1.7e8 an epoch
    assert settled(experiment(epochs=10)).compile is False
    assert settled(experiment(epochs=1_100_000)).compile is False
    assert settled(experiment(epochs=1_300_000)).compile is True


def test_a_gpu_has_to_save_more_to_pay_for_compiling(machine: Machine) -> None:
    machine.has_gpu()
    assert settled(experiment(epochs=1_300_000)).compile is False
    assert settled(experiment(epochs=65_000_000)).compile is True


LONG = 10**9


def test_nothing_is_compiled_without_a_compiler(machine: Machine) -> None:
    machine.has_cpu(compiler="")
    assert settled(experiment(epochs=LONG)).compile is False
    machine.has_cpu(compiler="clang++")
    assert settled(experiment(epochs=LONG)).compile is True


@pytest.mark.parametrize("lack", [{"triton": False}, {"capability": 6}])
def test_nothing_is_compiled_for_gpus_that_triton_does_not_serve(
    machine: Machine, lack: dict[str, Any]
) -> None:
    machine.has_gpu(**lack)
    assert settled(experiment(epochs=LONG)).compile is False


def test_nothing_is_compiled_on_windows(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    assert settled(experiment(epochs=LONG)).compile is False


ASKED: dict[str, Any] = {
    "device": "cpu",
    "precision": "tf32",
    "memory_format": "contiguous_format",
    "compile": "max-autotune",
    "threads": 3,
    "monitor": "loss",
}


def test_what_is_asked_for_is_left_alone(machine: Machine) -> None:
    machine.has_gpu()
    train = settled(experiment(epochs=LONG, **ASKED))
    assert {name: getattr(train, name) for name in ASKED} == ASKED


def test_no_auto_is_left_and_settling_again_changes_nothing(machine: Machine) -> None:
    asked = experiment()
    once = settle(asked, *check(asked))
    assert "auto" not in once.train.model_dump().values()
    machine.has_gpu()
    assert settle(once, *check(once)).train == once.train


def test_a_gpu_that_is_not_there_is_a_fault(machine: Machine) -> None:
    with pytest.raises(FaultError, match="no cuda:1 here: torch sees no GPU"):
        settled(experiment(device="cuda:1"))
    machine.has_gpu()
    with pytest.raises(FaultError, match="no cuda:1 here: torch sees 1 GPU"):
        settled(experiment(device="cuda:1"))
