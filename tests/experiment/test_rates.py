"""The rates that are foretold are those that training sets."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.optim.lr_scheduler import OneCycleLR

from cnnctl.config.source import parse_source
from cnnctl.experiment import Experiment, complete, rates
from cnnctl.experiment.rates import rates_of


def experiment(*overrides: str) -> Experiment:
    model = "model: {layers: [flatten, {linear: classes}]}"
    text = f"{{data: digits, {model}, optimizer: {{name: sgd, lr: 0.5}}}}"
    return complete(parse_source(text, Path("x.yaml")), "x", overrides).experiment


def test_one_cycle_is_that_of_torch() -> None:
    chosen = ["scheduler=one_cycle", "train.epochs=4", "train.accumulate=2"]
    found = rates_of(experiment(*chosen), batches=5)  # three steps per epoch
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5, momentum=0.9)
    schedule = OneCycleLR(optimizer, max_lr=0.5, total_steps=12)
    expected = []
    for _ in range(12):
        expected.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert (found.steps_per_epoch, found.total, found.steps) == (3, 12, list(range(12)))
    assert found.curves == [pytest.approx(expected)]


def test_a_warm_up_and_the_rates_of_groups_are_included() -> None:
    chosen = ["scheduler={name: constant, warmup: 1}", "train.epochs=2"]
    groups = "optimizer.groups=[{match: '*.bias', lr: 0.1}, {match: linear1, weight_decay: 0}]"
    found = rates_of(experiment(*chosen, groups), batches=2)
    # from a tenth of the rate, linearly in two steps
    assert found.curves == [
        pytest.approx([0.05, 0.275, 0.5, 0.5]),
        pytest.approx([0.01, 0.055, 0.1, 0.1]),
    ]


def test_a_long_run_is_sampled_with_its_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST_POINTS", 10)
    found = rates_of(experiment("train.epochs=100"), batches=10)
    assert found.steps[:2] == [0, 99]
    assert found.steps[-1] == 999
    assert len(found.steps) == 12


def test_one_step_is_a_run_too() -> None:
    assert rates_of(experiment("train.epochs=1"), batches=1).steps == [0]
