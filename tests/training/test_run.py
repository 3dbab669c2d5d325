"""A run is put together from its experiment, and counts what it sees."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cnnctl.training.run import Run, stopping_metric
from tests.training.conftest import run_of

LAYERS = [{"linear": 5}, "tanh", {"linear": "classes"}]


def moons(**sections: Any) -> Run:
    return run_of({"data": {"name": "moons"}, "model": {"layers": LAYERS}, **sections})


def test_weight_decay_parts_the_parameters_in_two_groups() -> None:
    run = moons(regularization={"weight_decay": 0.1})
    decays = [(g["weight_decay"], len(g["params"])) for g in run.optimizer.param_groups]
    assert decays == [(0.1, 2), (0.0, 2)]
    assert len(moons().optimizer.param_groups) == 1


@pytest.mark.parametrize(
    ("monitor", "own", "watched"),
    [
        ("accuracy", "auto", "accuracy"),
        ("loss", "auto", "loss"),
        ("accuracy", "loss", "loss"),
        ("loss", "accuracy", "accuracy"),
    ],
)
def test_early_stopping_watches_its_own_metric_or_that_of_the_best(
    monitor: str, own: str, watched: str
) -> None:
    run = moons(
        train={"monitor": monitor},
        regularization={"early_stopping": {"patience": 3, "monitor": own}},
    )
    assert stopping_metric(run.experiment) == watched
    assert run.patience is not None
    assert run.patience.more_is_better == (watched == "accuracy")


def test_a_run_is_finished_by_its_epochs_or_by_early_stopping() -> None:
    run = moons(train={"epochs": 2})
    assert not run.is_finished
    run.counters.epoch = 2
    assert run.is_finished
    run.counters.epoch, run.counters.stopped_early = 1, True
    assert run.is_finished


def test_the_seed_decides_the_weights() -> None:
    one, same, other = (moons(seed=seed).network.state_dict() for seed in (1, 1, 2))
    assert torch.equal(one["linear1.weight"], same["linear1.weight"])
    assert not torch.equal(one["linear1.weight"], other["linear1.weight"])


def test_channels_last_lays_the_weights_out() -> None:
    layers = [{"conv": {"out_channels": 4, "kernel_size": 3}}, "flatten", {"linear": "classes"}]
    plain = {"data": {"name": "digits"}, "model": {"layers": layers}}
    weight = run_of(plain, input=(3, 8, 8), classes=10).network.get_parameter("conv1.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not weight.is_contiguous()
