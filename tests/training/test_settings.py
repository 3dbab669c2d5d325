"""Each `auto` is settled by a rule that never asks a clock."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cnnctl.errors import FaultError
from cnnctl.experiment import Experiment, Train, check
from cnnctl.optim.optimizers import Optimizer
from cnnctl.training.settings import resolve_auto
from tests.training.conftest import experiment_of

CONV = [
    {"conv": {"out_channels": 64, "kernel_size": 3}},
    {"conv": {"out_channels": 64, "kernel_size": 3}},
    "flatten",
    {"linear": "classes"},
]
LINEAR = ["flatten", {"linear": "classes"}]


class Machine:
    """A machine that torch takes this one for."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.has_cpu()

    def has_cpu(self, *, bf16: tuple[str, ...] = (), name: str = "AMD Genoa") -> None:
        units = dict.fromkeys(("avx512_bf16", "amx_bf16"), False)
        capabilities = {"cpu_name": name, **units, **dict.fromkeys(bf16, True)}
        self.patch.setattr("torch.cuda.is_available", lambda: False)
        self.patch.setattr("torch.cuda.device_count", lambda: 0)
        self.patch.setattr("torch.cpu.get_capabilities", lambda: capabilities)

    def has_gpu(self, *, bf16: bool = True) -> None:
        self.patch.setattr("torch.cuda.is_available", lambda: True)
        self.patch.setattr("torch.cuda.device_count", lambda: 1)
        self.patch.setattr(
            "torch.cuda.is_bf16_supported", lambda including_emulation: bf16 or including_emulation
        )


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


def resolved(asked: Experiment) -> Train:
    return resolve_auto(asked, *check(asked)).train


def test_a_plain_cpu_gets_what_it_computes_itself(machine: Machine) -> None:
    train = resolved(experiment())
    assert (train.device, train.precision) == ("cpu", "fp32")
    assert train.threads == torch.get_num_threads()


@pytest.mark.parametrize(
    ("name", "units"),
    [("AMD Genoa", ["avx512_bf16"]), ("Intel Xeon", ["avx512_bf16", "amx_bf16"])],
)
def test_a_cpu_that_is_faster_with_bf16_gets_bf16(
    machine: Machine, name: str, units: list[str]
) -> None:
    machine.has_cpu(bf16=tuple(units), name=name)
    assert resolved(experiment()).precision == "bf16"


def test_intels_avx512_alone_is_no_faster_with_bf16(machine: Machine) -> None:
    machine.has_cpu(bf16=("avx512_bf16",), name="Intel Xeon")
    assert resolved(experiment()).precision == "fp32"


@pytest.mark.parametrize("kind", sorted(Optimizer.kinds))
def test_images_lie_as_the_optimizer_can_take_them(kind: str) -> None:
    plain = {"data": {"name": "digits"}, "model": {"layers": CONV}, "optimizer": kind}
    asked = experiment_of({**plain, "train": {"memory_format": "auto", "device": "cpu"}})
    expected = "contiguous_format" if kind == "lbfgs" else "channels_last"
    assert resolved(asked).memory_format == expected


def test_a_memory_format_that_the_optimizer_cannot_take_is_a_fault() -> None:
    plain = {"data": {"name": "digits"}, "model": {"layers": CONV}, "optimizer": "lbfgs"}
    with pytest.raises(
        FaultError, match=r"train.memory_format: lbfgs does not support channels_last"
    ):
        check(experiment_of({**plain, "train": {"memory_format": "channels_last"}}))


def test_a_gpu_is_taken_where_there_is_one(machine: Machine) -> None:
    machine.has_gpu()
    train = resolved(experiment())
    assert (train.device, train.precision) == ("cuda", "bf16")


def test_a_gpu_older_than_ampere_gets_float32(machine: Machine) -> None:
    machine.has_gpu(bf16=False)
    assert resolved(experiment()).precision == "fp32"


@pytest.mark.parametrize("compile", ["auto", False])
@pytest.mark.parametrize("has_gpu", [True, False])
def test_nothing_is_compiled_unless_it_is_asked_for(
    machine: Machine, has_gpu: bool, compile: str | bool
) -> None:
    if has_gpu:
        machine.has_gpu()
    assert resolved(experiment(compile=compile)).compile is False
    assert resolved(experiment(compile="measure")).compile == "measure"


def mlp(width: int, batch_size: int | str, *, samples: int = 4096) -> str:
    """The precision of two layers of this width on 64 numbers, as a CPU with bf16 trains them."""
    data = {"name": "fake", "shape": [64], "samples": samples, "batch_size": batch_size}
    layers = [{"linear": width}, "relu", {"linear": width}, "relu", {"linear": "classes"}]
    free = {"device": "auto", "precision": "auto", "compile": "auto"}
    plain = {"data": data, "model": {"layers": layers}, "train": free}
    return resolved(experiment_of(plain)).precision


def test_little_work_keeps_float32(machine: Machine) -> None:
    machine.has_cpu(bf16=("avx512_bf16",))
    # multiply-adds of a step: 64 x (64 x 8 + 8 x 8 + 8 x 10)
    assert mlp(8, 64) == "fp32"
    # 64 x (64 x 1024 + 1024 x 1024 + 1024 x 10) = 72 million
    assert mlp(1024, 64) == "bf16"
    # more weights to cast than products of each
    assert mlp(2048, 8) == "fp32"
    # a batch of all samples is as large as they are many
    assert mlp(256, "all", samples=4096) == "bf16"
    assert mlp(256, "all", samples=64) == "fp32"


def test_little_work_keeps_float32_on_a_gpu(machine: Machine) -> None:
    machine.has_gpu()
    assert (mlp(8, 64), mlp(1024, 64)) == ("fp32", "bf16")


def test_a_network_whose_cost_nobody_knows_is_taken_for_a_large_one(machine: Machine) -> None:
    machine.has_cpu(bf16=("avx512_bf16",))
    layers = [{"torchvision": {"model": "squeezenet1_1"}}]
    data = {"name": "fake", "shape": [3, 64, 64], "samples": 20, "batch_size": 8}
    free = {"device": "auto", "precision": "auto"}
    asked = experiment_of({"data": data, "model": {"layers": layers}, "train": free})
    assert resolved(asked).precision == "bf16"


def test_images_under_convolutions_lie_channels_last(machine: Machine) -> None:
    assert resolved(experiment(CONV)).memory_format == "channels_last"
    assert resolved(experiment(LINEAR)).memory_format == "contiguous_format"


def test_classes_are_chosen_by_accuracy_and_values_by_loss(machine: Machine) -> None:
    assert resolved(experiment()).monitor == "accuracy"
    assert resolved(experiment([{"linear": 1}], data="diabetes")).monitor == "loss"


def test_labels_are_chosen_by_average_precision_where_it_can_be_measured(machine: Machine) -> None:
    data = {"name": "fake", "shape": [4], "multilabel": True}
    labels = {"data": data, "model": {"layers": LINEAR}, "loss": "bce_with_logits"}
    assert resolved(experiment_of(labels)).monitor == "average_precision"
    alone = labels | {"data": data | {"validation": 0}}
    assert resolved(experiment_of(alone)).monitor == "accuracy"


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
    train = resolved(experiment(**ASKED))
    assert {name: getattr(train, name) for name in ASKED} == ASKED


def test_no_auto_is_left_and_settling_again_changes_nothing(machine: Machine) -> None:
    asked = experiment()
    once = resolve_auto(asked, *check(asked))
    left = [name for name, value in once.train if value == "auto"]
    assert left == []
    machine.has_gpu()
    assert resolve_auto(once, *check(once)).train == once.train


def test_a_gpu_that_is_not_there_is_a_fault(machine: Machine) -> None:
    with pytest.raises(FaultError, match="no cuda:1: torch sees no GPU"):
        resolved(experiment(device="cuda:1"))
    machine.has_gpu()
    with pytest.raises(FaultError, match="no cuda:1: torch sees 1 GPU"):
        resolved(experiment(device="cuda:1"))


@pytest.mark.parametrize(
    ("samples", "accumulate", "interval"),
    [
        (1_000, 1, 50),  # 25 steps an epoch
        (80_000, 1, 200),  # 2,000 steps, of which ten are recorded
        (80_000, 4, 50),
    ],
)
def test_layers_are_recorded_rarely_enough(samples: int, accumulate: int, interval: int) -> None:
    data = {"name": "fake", "shape": [2], "samples": samples, "batch_size": 40, "validation": 0}
    train = {"watch": True, "accumulate": accumulate}
    plain = {"data": data, "model": {"layers": [{"linear": "classes"}]}, "train": train}
    assert resolved(experiment_of(plain)).watch == interval
    assert resolved(experiment_of({**plain, "train": {**train, "watch": 7}})).watch == 7
    assert resolved(experiment_of({**plain, "train": {**train, "epochs": 500}})).watch == interval
    assert resolved(experiment_of({**plain, "train": {}})).watch is False
    compiled = {**train, "compile": True}
    assert resolved(experiment_of({**plain, "train": compiled})).watch == 200
