"""Weights with a learning rate and a weight decay of their own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from cnnctl.errors import FaultError, dotted
from cnnctl.optim.groups import build_optimizer, check_groups, parameter_groups
from cnnctl.optim.optimizers import Optimizer
from cnnctl.optim.regularizers import Penalized
from cnnctl.optim.schedulers import Schedule, Scheduler


def network() -> nn.Sequential:
    made = nn.Sequential()
    made.add_module("conv1", nn.Conv2d(1, 4, 3))
    made.add_module("conv2", nn.Conv2d(4, 4, 3))
    made.add_module("linear1", nn.Linear(4, 2))
    return made


def optimizer(groups: list[dict[str, Any]], **options: Any) -> Optimizer:
    return Optimizer.read({"name": "sgd", "lr": 0.1, "groups": groups, **options})


def settings(
    spec: Optimizer, *, weight_decay: float = 0.0, penalize: Penalized = "weights"
) -> dict[str, tuple[float, float]]:
    """(lr, weight decay) of every parameter, as torch's optimizer has them."""
    made = network()
    groups = parameter_groups(made, spec, weight_decay=weight_decay, penalize=penalize)
    names = {id(parameter): name for name, parameter in made.named_parameters()}
    built = build_optimizer(groups, fused=False)
    found = [
        (names[id(p)], (group["lr"], group["weight_decay"]))
        for group in built.param_groups
        for p in group["params"]
    ]
    assert len(found) == len(names)
    return dict(found)


def test_a_group_has_its_rate_and_the_rest_the_optimizers_own() -> None:
    found = settings(optimizer([{"match": "conv*", "lr": 0.01}], weight_decay=0.5))
    assert {name: lr for name, (lr, _) in found.items()} == {
        "conv1.weight": 0.01,
        "conv1.bias": 0.01,
        "conv2.weight": 0.01,
        "conv2.bias": 0.01,
        "linear1.weight": 0.1,
        "linear1.bias": 0.1,
    }
    assert {decay for _, decay in found.values()} == {0.5}


def test_of_two_groups_that_match_the_first_counts() -> None:
    groups = [{"match": ["conv1", "*.bias"], "lr": 1.0}, {"match": "conv*", "weight_decay": 0.2}]
    assert settings(optimizer(groups)) == {
        "conv1.weight": (1.0, 0.0),
        "conv1.bias": (1.0, 0.0),
        "conv2.weight": (0.1, 0.2),
        "conv2.bias": (1.0, 0.0),
        "linear1.weight": (0.1, 0.0),
        "linear1.bias": (1.0, 0.0),
    }


def test_decay_for_penalized_weights_leaves_the_biases_of_groups_alone() -> None:
    spec = optimizer([{"match": "conv1", "weight_decay": 0.3}, {"match": "conv2", "lr": 1.0}])
    assert settings(spec, weight_decay=0.05) == {
        "conv1.weight": (0.1, 0.3),
        "conv1.bias": (0.1, 0.0),
        "conv2.weight": (1.0, 0.05),
        "conv2.bias": (1.0, 0.0),
        "linear1.weight": (0.1, 0.05),
        "linear1.bias": (0.1, 0.0),
    }
    assert settings(spec, weight_decay=0.05, penalize="all")["conv1.bias"] == (0.1, 0.3)


def test_the_weights_of_no_group_come_first() -> None:
    spec = optimizer([{"match": "conv1", "lr": 9.0}])
    groups = parameter_groups(network(), spec, weight_decay=0.1)
    assert ["lr" in group.settings for group in groups] == [False, False, True, True]


@pytest.mark.parametrize(
    "scheduler",
    [
        "constant",
        {"name": "cosine", "warmup": 2},
        {"name": "one_cycle", "cycle_momentum": False},
        {"name": "exponential", "gamma": 0.5},
    ],
)
def test_a_scheduler_scales_every_group_alike(scheduler: Any) -> None:
    spec = optimizer([{"match": "conv1", "lr": 0.02}, {"match": "conv2", "lr": 0.3}])
    groups = parameter_groups(network(), spec)
    alone = Schedule(
        Scheduler.read(scheduler), torch.optim.SGD(network().parameters(), lr=0.1, momentum=0.9),
        steps_per_epoch=3, epochs=10,
    )  # fmt: skip
    together = Schedule(
        Scheduler.read(scheduler),
        build_optimizer(groups, fused=False),
        steps_per_epoch=3,
        epochs=10,
    )
    for step in range(30):
        alone.apply(step)
        together.apply(step)
        rate = alone.optimizer.param_groups[0]["lr"]
        found = [group["lr"] for group in together.optimizer.param_groups]
        assert found[0] == rate
        assert found[1:] == pytest.approx([rate * 0.2, rate * 3.0])


def test_an_absolute_lowest_rate_is_the_end_of_every_group() -> None:
    spec = optimizer([{"match": "conv1", "lr": 0.01}])
    groups = parameter_groups(network(), spec)
    schedule = Schedule(
        Scheduler.read({"name": "cosine", "eta_min": 0.05}),
        build_optimizer(groups, fused=False),
        steps_per_epoch=1,
        epochs=10,
    )
    schedule.apply(10)
    rates = [group["lr"] for group in schedule.optimizer.param_groups]
    assert rates == pytest.approx([0.05, 0.05])


def test_patterns_that_match_nothing_are_faults_at_their_places() -> None:
    spec = optimizer(
        [{"match": "conv9", "lr": 1.0}, {"match": ["conv1", "*.gamma"], "weight_decay": 0.0}]
    )
    faults = check_groups(spec.groups, network().to("meta"))
    assert [dotted(fault.path) for fault in faults] == [
        "optimizer.groups.0.match",
        "optimizer.groups.1.match.1",
    ]
    assert all(fault.hint for fault in faults)


@pytest.mark.parametrize(
    "group",
    [{"match": "conv1"}, {"lr": 0.1}, {"match": [], "lr": 0.1}, {"match": "conv1", "lr": -1.0}],
)
def test_a_group_needs_a_pattern_and_something_to_set(group: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        optimizer([group])


def test_lbfgs_takes_no_groups() -> None:
    with pytest.raises(ValidationError, match="all weights together"):
        Optimizer.read({"name": "lbfgs", "groups": [{"match": "conv1", "lr": 0.1}]})
    with pytest.raises(FaultError, match="not in 2 groups"):
        Optimizer.read("lbfgs").build([{"params": []}, {"params": [], "lr": 1.0}], fused=False)


def test_groups_are_written_as_they_are_read() -> None:
    spec = optimizer([{"match": ["conv1"], "lr": 1.0}])
    assert Optimizer.read(spec.written()) == spec
