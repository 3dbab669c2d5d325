"""A batch computed in parts has the gradient of the whole batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnctl.experiment import check
from cnnctl.training.micro_batches import LARGEST, micro_batches
from cnnctl.training.run import Run
from cnnctl.training.settings import resolve_auto
from cnnctl.training.step import make_step
from tests.training.conftest import experiment_of, run_of

MOONS: dict[str, Any] = {
    "data": {"name": "moons"},
    "model": {"layers": [{"linear": 5}, "tanh", {"linear": "classes"}]},
}
CONV = {"conv": {"out_channels": 8, "kernel_size": 3, "padding": 1}}


def moons(size: int | None, **sections: Any) -> Run:
    train = {**sections.pop("train", {}), "micro_batch_size": size}
    return run_of({**MOONS, **sections, "train": train})


def batch(count: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(count)
    return torch.randn(count, 2, generator=draw), torch.randint(2, (count,), generator=draw)


def learned(run: Run, sizes: list[int], *, steps: int = 2) -> list[Tensor]:
    """The parameters after some steps of batches of these sizes."""
    step = make_step(run)
    for _ in range(steps):
        step([batch(size) for size in sizes])
    return [parameter.detach() for parameter in run.network.parameters()]


def test_parts_keep_the_order_of_samples_and_their_answers() -> None:
    inputs, targets = torch.arange(5), torch.arange(5) * 10
    answers = (torch.arange(5) * 100, torch.arange(10).view(5, 2))
    parts = list(micro_batches([(inputs, targets)], [answers], size=2))
    assert [len(part[0]) for part in parts] == [2, 2, 1]
    assert torch.equal(torch.cat([part[0] for part in parts]), inputs)
    assert torch.equal(torch.cat([part[1] for part in parts]), targets)
    for number, whole in enumerate(answers):
        assert torch.equal(torch.cat([part[2][number] for part in parts]), whole)


@pytest.mark.parametrize("size", [None, 5, 6])
def test_a_batch_that_fits_is_not_touched(size: int | None) -> None:
    inputs, targets = batch(5)
    ((same, own, told),) = micro_batches([(inputs, targets)], [()], size=size)
    assert same is inputs
    assert own is targets
    assert told == ()


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {
            "loss": {"name": "cross_entropy", "reduction": "sum"},
            "optimizer": {"name": "sgd", "lr": 0.01},
        },
        {"loss": {"name": "cross_entropy", "weight": [1.0, 3.0]}},
        {"regularization": {"clip_norm": 0.1, "l2": 0.1, "ema": 0.9}},
        {"optimizer": "lbfgs"},
        {"train": {"accumulate": 2}},
    ],
    ids=["plain", "sum", "class_weights", "regularized", "lbfgs", "accumulated"],
)
@pytest.mark.parametrize("size", [1, 3])
def test_parts_train_as_the_whole_batch(sections: dict[str, Any], size: int) -> None:
    accumulate = sections.get("train", {}).get("accumulate", 1)
    whole, split = moons(None, **sections), moons(size, **sections)
    sizes = [7, 4][:accumulate]
    expected = learned(whole, sizes)
    torch.testing.assert_close(learned(split, sizes), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(split.tally.sums, whole.tally.sums, rtol=1e-4, atol=1e-5)
    assert split.tally.samples == whole.tally.samples == 2 * sum(sizes)
    assert split.counters.batch == whole.counters.batch


def test_batch_norm_normalises_each_part_by_itself() -> None:
    layers = [{"batch_norm": {"affine": False}}, {"linear": "classes"}]
    run = moons(3, model={"layers": layers}, optimizer="sgd")
    norm = next(each for each in run.network.modules() if isinstance(each, nn.BatchNorm1d))
    make_step(run)([batch(6)])
    means = [part.mean(0) for part in torch.split(batch(6)[0], 3)]
    expected = 0.9 * (0.1 * means[0]) + 0.1 * means[1]
    torch.testing.assert_close(norm.running_mean, expected)


def chosen(batch_size: int | str, *, layers: list[Any] | None = None, **train: Any) -> Any:
    """What `auto` takes for images of 32x32 pixels; `CONV` has 8 channels of them, 32 KiB."""
    data = {"name": "fake", "shape": [1, 32, 32], "samples": 4096, "batch_size": batch_size}
    layers = layers or [CONV, "relu", "flatten", {"linear": "classes"}]
    train = {"device": "cpu", "micro_batch_size": "auto", **train}
    asked = experiment_of(
        {"data": data | {"validation": 0}, "model": {"layers": layers}, "train": train}
    )
    return resolve_auto(asked, *check(asked)).train.micro_batch_size


def test_auto_splits_where_a_tensor_is_too_large() -> None:
    assert LARGEST == 1024 * 32 * 1024
    assert chosen(1024) is None
    assert chosen(1025) == 513  # two equal parts
    assert chosen("all") == 1024
    assert chosen(64) is None


def test_auto_never_splits_what_batch_norm_looks_at() -> None:
    assert chosen(4096, layers=[CONV, "batch_norm", "flatten", {"linear": "classes"}]) is None


def test_what_is_asked_for_is_kept() -> None:
    assert chosen(4096, micro_batch_size=10) == 10
    assert chosen(4096, micro_batch_size=None) is None


def test_auto_splits_nothing_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: True)
    assert chosen(4096, device="auto") is None
