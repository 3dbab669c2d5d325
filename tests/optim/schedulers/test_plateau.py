import json
import math
from itertools import pairwise
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import optim
from torch.optim.lr_scheduler import ReduceLROnPlateau

from cnnctl.metrics import Monitor
from cnnctl.optim.schedulers import Schedule, Scheduler
from cnnctl.optim.schedulers.plateau import Plateau

OPTIONS = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["min", "max"]),
        "factor": st.sampled_from([0.1, 0.5]),
        "patience": st.integers(0, 3),
        "threshold": st.sampled_from([0.0, 1e-4, 0.1]),
        "threshold_mode": st.sampled_from(["rel", "abs"]),
        "cooldown": st.integers(0, 3),
        "min_lr": st.sampled_from([0.0, 0.01]),
        "eps": st.sampled_from([1e-8, 0.02]),
    }
)
METRICS = st.lists(st.floats(0, 10) | st.just(math.nan), max_size=40)


def _schedule(options: dict[str, Any]) -> tuple[Schedule, optim.Optimizer]:
    optimizer = optim.SGD([torch.zeros(1)], lr=0.2)
    spec = Scheduler.read({"name": "plateau", **options})
    return Schedule(spec, optimizer, steps_per_epoch=1, epochs=100), optimizer


def _rates(options: dict[str, Any], metrics: list[float]) -> list[float]:
    schedule, optimizer = _schedule(options)
    rates = []
    for step, metric in enumerate(metrics):
        schedule.apply(step)
        rates.append(optimizer.param_groups[0]["lr"])
        schedule.end_epoch(metric)
    return rates


@settings(max_examples=200, deadline=None)
@given(options=OPTIONS, metrics=METRICS)
def test_plateau_cuts_when_torch_does(options: dict[str, Any], metrics: list[float]) -> None:
    optimizer = optim.SGD([torch.zeros(1)], lr=0.2)
    scheduler = ReduceLROnPlateau(optimizer, **options)
    expected = []
    for metric in metrics:
        expected.append(optimizer.param_groups[0]["lr"])
        scheduler.step(metric)
    assert _rates(options, metrics) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(options=OPTIONS, metrics=METRICS, at=st.integers(0, 40))
def test_a_resumed_plateau_goes_on_as_if_never_stopped(
    options: dict[str, Any], metrics: list[float], at: int
) -> None:
    schedule, _ = _schedule(options)
    for metric in metrics[:at]:
        schedule.end_epoch(metric)
    resumed, optimizer = _schedule(options)
    resumed.load_state_dict(json.loads(json.dumps(schedule.state_dict(), allow_nan=False)))
    rates = []
    for step, metric in enumerate(metrics[at:], start=at):
        resumed.apply(step)
        rates.append(optimizer.param_groups[0]["lr"])
        resumed.end_epoch(metric)
    assert rates == _rates(options, metrics)[at:]


def test_the_epochs_of_a_warm_up_are_not_judged() -> None:
    rates = _rates({"patience": 0, "factor": 0.5, "warmup": 3}, [1.0] * 7)
    assert rates[:3] == sorted(rates[:3])
    assert rates[3:] == [0.2, 0.2, 0.1, 0.05]
    assert all(later <= earlier for earlier, later in pairwise(rates[3:]))


@pytest.mark.parametrize("monitor", get_args(Monitor))
@pytest.mark.parametrize("mode", ["auto", "min", "max"])
def test_what_is_better_is_known_of_a_metric(monitor: str, mode: str) -> None:
    """Of scikit-learn's and torchmetrics' names, those of losses are minimised."""
    scheduler = Scheduler.read({"name": "plateau", "monitor": monitor, "mode": mode})
    assert isinstance(scheduler, Plateau)
    if monitor == "auto":
        expected = ("accuracy", "max") if mode == "max" else ("loss", "min")
    else:
        expected = (monitor, "min" if monitor.endswith("loss") else "max")
    assert (scheduler.watches, scheduler.direction) == expected


def test_rates_follow_the_metric() -> None:
    options = {"patience": 0, "factor": 0.5}
    rising, falling = [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]
    for monitor, better, worse in (("kappa", rising, falling), ("loss", falling, rising)):
        assert _rates({**options, "monitor": monitor}, better) == [0.2] * 4
        assert _rates({**options, "monitor": monitor}, worse) == [0.2, 0.2, 0.1, 0.05]
