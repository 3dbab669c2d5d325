"""What may change when a run is resumed, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cnnctl.checkpoint import Checkpoint
from cnnctl.errors import ExitCode, FaultError
from cnnctl.experiment import Experiment
from cnnctl.training.resuming import differences, inexact_because, reconcile
from tests.training.conftest import experiment_of

HERE = Checkpoint({}, {"torch": torch.__version__})


def experiment(**sections: Any) -> Experiment:
    layers = {"layers": ["flatten", {"linear": 8}, "relu", {"linear": "classes"}]}
    return experiment_of({"data": {"name": "digits"}, "model": layers, **sections})


def test_differences_are_found_wherever_they_are() -> None:
    new = {"a": {"b": 1, "c": [1, {"d": 2}]}, "same": 3, "more": 4}
    old = {"a": {"b": 2, "c": [1, {"d": 3}]}, "same": 3, "less": 5}
    assert dict(differences(new, old)) == {
        ("a", "b"): (1, 2),
        ("a", "c", 1, "d"): (2, 3),
        ("more",): (4, None),
        ("less",): (None, 5),
    }


def test_a_longer_list_is_one_difference() -> None:
    assert dict(differences({"a": [1, 2]}, {"a": [1]})) == {("a",): ([1, 2], [1])}


def test_auto_differs_from_nothing() -> None:
    resolved = {"train": {"device": "cpu", "threads": 2}, "normalize": {"mean": [0.1]}}
    asked = {"train": {"device": "auto", "threads": "auto"}, "normalize": "auto"}
    assert not dict(differences(asked, resolved))


def test_class_weights_to_be_measured_are_those_that_were_measured() -> None:
    numbers, counted = [0.5, 1.5], {"effective_number": 0.9, "counts": [3, 1]}
    assert not dict(differences({"weight": "balanced"}, {"weight": numbers}))
    asked = {"effective_number": 0.9, "counts": "auto"}
    assert not dict(differences({"weight": asked}, {"weight": counted}))
    assert dict(differences({"weight": {**asked, "effective_number": 0.99}}, {"weight": counted}))
    assert dict(differences({"weight": "balanced"}, {"weight": counted}))
    assert dict(differences({"weight": "balanced"}, {"weight": None}))
    assert dict(differences({"sampler": "balanced"}, {"sampler": "shuffle"}))


@pytest.mark.parametrize(
    ("option", "value"),
    [("epochs", 7), ("checkpoint_every", 3), ("threads", 5), ("device", "cuda"), ("watch", 20)],
)
def test_what_may_change_is_taken(option: str, value: object) -> None:
    changed = reconcile(experiment(train={option: value}), experiment(), place="run")
    assert getattr(changed.train, option) == value


def test_all_that_may_not_change_is_refused_at_once_with_both_values() -> None:
    asked = experiment(seed=1, optimizer={"name": "sgd", "lr": 0.5}, train={"accumulate": 2})
    with pytest.raises(FaultError) as caught:
        reconcile(asked, experiment(), place="runs/x")
    assert caught.value.exit_code is ExitCode.CHECKPOINT
    lines = str(caught.value).splitlines()[::2]
    assert lines == [
        "runs/x: seed: is 1 now, but the run has 0",
        "runs/x: optimizer.lr: is 0.5 now, but the run has 0.001",
        "runs/x: train.accumulate: is 2 now, but the run has 1",
    ]


def test_a_run_keeps_what_was_settled_for_it() -> None:
    before = experiment(train={"threads": 3, "memory_format": "channels_last"})
    after = reconcile(experiment(train={"epochs": 4}), before, place="run")
    assert (after.train.threads, after.train.memory_format) == (3, "channels_last")
    assert after.name == before.name


def test_the_same_machine_promises_the_same_bits() -> None:
    assert inexact_because(experiment(train={"epochs": 9}), experiment(), HERE) == ""


def test_what_breaks_the_promise_is_named() -> None:
    threads = experiment(train={"threads": 5})
    assert inexact_because(threads, experiment(), HERE) == "train.threads"
    other = Checkpoint({}, {"torch": "1.0"})
    assert inexact_because(experiment(), experiment(), other) == "torch (was 1.0)"
