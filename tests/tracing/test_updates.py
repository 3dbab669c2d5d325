"""Updates of real runs: optimizers, clipping, schedules, averages, groups and frozen layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnnctl.experiment import load
from cnnctl.optim.optimizers import Optimizer
from cnnctl.tracing.blocks import update_blocks
from cnnctl.tracing.text import render
from cnnctl.training.setup import set_up
from cnnctl.training.training import Training
from tests.tracing.conftest import subject_of, traced, weight

SMALL: dict[str, Any] = {
    "data": {"name": "inline", "inputs": [[0.5, -1.0, 2.0]], "targets": [[0.3, 0.7]]},
    "model": {"layers": [{"linear": 3}, "tanh", {"linear": 2}]},
    "loss": "mse",
    "train": {"epochs": 4, "precision": "fp32", "device": "cpu"},
}


@pytest.mark.parametrize("kind", sorted(Optimizer.kinds))
def test_steps_of_every_optimizer_are_those_of_training(tmp_path: Path, kind: str) -> None:
    """One sample makes an epoch of one step, so four epochs of training are four steps."""
    subject = subject_of(tmp_path, {**SMALL, "optimizer": {"name": kind}}, {})
    steps = traced(subject, steps=4).steps
    training = Training.of(set_up(load(tmp_path / "worked.yaml")))
    training.begin()
    training.fit()
    trained = training.run.network.state_dict()
    last = {f"{each.layer}.{each.letter}": each.after for each in steps[-1].weights}
    for name, letter in (("weight", "W"), ("bias", "b")):
        for layer in ("linear1", "linear2"):
            assert torch.equal(last[f"{layer}.{letter}"], trained[f"{layer}.{name}"])
    for step in steps:
        for each in step.weights:
            if kind != "lbfgs":
                worked = each.terms[-1].value
                torch.testing.assert_close(worked, each.after, rtol=1e-5, atol=1e-6)


def test_lbfgs_says_how_often_it_computed_the_loss(tmp_path: Path) -> None:
    trace = traced(subject_of(tmp_path, {**SMALL, "optimizer": "lbfgs"}, {}))
    [step] = trace.steps
    assert step.evaluations > 1
    lines = render(trace).splitlines()
    assert "update, lbfgs 1" in lines
    assert f"  the loss was computed {step.evaluations} times" in lines


@pytest.mark.parametrize("settings", [{"clip_norm": 0.1}, {"clip_value": 0.05}, {"clip_norm": 99}])
def test_clipping_is_a_term_of_its_own(tmp_path: Path, settings: dict[str, float]) -> None:
    options = {"regularization": {**settings, "l2": 0.1}, "optimizer": {"name": "sgd", "lr": 1.0}}
    [step] = traced(subject_of(tmp_path, {**SMALL, **options}, {})).steps
    names = [each.name for each in step.weights]
    whole = {name: weight(step, name)["gradient"] for name in names}
    for name in names:
        if name.endswith("W"):
            whole[name] = whole[name] + 0.1 * weight(step, name)["before"]
    norm = np.sqrt(sum((gradient**2).sum() for gradient in whole.values()))
    [clipping] = step.clippings
    for name in names:
        if "clip_value" in settings:
            clipped = whole[name].clip(-0.05, 0.05)
        else:
            assert clipping.before == pytest.approx(norm, rel=1e-5)
            clipped = whole[name] * min(1.0, settings["clip_norm"] / (norm + 1e-6))
        found = weight(step, name)
        assert found["before"] - found["after"] == pytest.approx(clipped, abs=1e-6)
        assert found["g"] == pytest.approx(clipped, abs=1e-6)


def test_the_rate_is_that_of_the_schedule(tmp_path: Path) -> None:
    options = {
        "optimizer": {"name": "sgd", "lr": 0.4},
        "scheduler": {"name": "step", "step_size": 2, "gamma": 0.5},
    }
    steps = traced(subject_of(tmp_path, {**SMALL, **options}, {}), steps=4).steps
    assert [step.rate for step in steps] == pytest.approx([0.4, 0.4, 0.2, 0.2])
    assert steps[2].optimizer == "sgd 0.2, step at step 3 of 4"
    for step in steps:
        found = weight(step, "linear1 W")
        change = found["before"] - found["after"]
        assert change == pytest.approx((step.rate or 0) * found["gradient"], abs=1e-6)


def test_the_average_of_the_weights_is_shown(tmp_path: Path) -> None:
    options = {"regularization": {"ema": {"decay": 0.9, "warmup": False}}}
    first, second = traced(subject_of(tmp_path, {**SMALL, **options}, {}), steps=2).steps
    before = weight(first, "linear1 W")
    average = first.weights[0].average
    assert average is not None and average.formula == "0.9 ema + 0.1 W"
    expected = 0.9 * before["before"] + 0.1 * before["after"]
    assert average.value.numpy() == pytest.approx(expected, abs=1e-6)
    expected = 0.9 * expected + 0.1 * weight(second, "linear1 W")["after"]
    average = second.weights[0].average
    assert average is not None
    assert average.value.numpy() == pytest.approx(expected, abs=1e-6)


def test_groups_have_their_own_formulas(tmp_path: Path) -> None:
    groups = [{"match": "linear2", "lr": 0.5}]
    options = {"optimizer": {"name": "sgd", "lr": 0.1, "groups": groups}}
    [step] = traced(subject_of(tmp_path, {**SMALL, **options}, {})).steps
    blocks = {block.formulas[0]: block.title for block in update_blocks(step)}
    assert blocks == {
        "W - 0.1 dW": "sgd 0.1 and 0.5 (linear1 W, linear1 b)",
        "W - 0.5 dW": "sgd 0.1 and 0.5 (linear2 W, linear2 b)",
    }


def test_frozen_weights_are_not_updated(tmp_path: Path) -> None:
    model = {**SMALL["model"], "freeze": ["linear1"]}
    trace = traced(subject_of(tmp_path, {**SMALL, "model": model}, {}))
    [step] = trace.steps
    gradients = {each.name: each.gradient is not None for each in step.weights}
    assert gradients == {
        "linear1 W": False,
        "linear1 b": False,
        "linear2 W": True,
        "linear2 b": True,
    }
    assert not [line for line in render(trace).splitlines() if line.startswith("linear1   W[")]


@pytest.mark.parametrize("zoo", ["lenet5", pytest.param("resnet18", marks=pytest.mark.long)])
def test_networks_of_the_zoo_are_traced(tmp_path: Path, zoo: str) -> None:
    shape = [1, 32, 32] if zoo == "lenet5" else [3, 32, 32]
    data = {"name": "fake", "shape": shape, "classes": 5, "samples": 8, "batch_size": 4}
    made = {"data": data, "model": {"zoo": zoo}, "optimizer": {"name": "adam"}}
    trace = traced(subject_of(tmp_path, made, {}))
    [step] = trace.steps
    layers = {row.layer for row in step.forward if row.role == "output"}
    assert {row.layer for row in step.backward if row.role == "output"} >= layers
    assert all(row.value.isfinite().all() for row in [*step.forward, *step.backward])
    assert len(render(trace).splitlines()) > 50


@pytest.mark.long
def test_torchvisions_networks_are_traced_module_by_module(tmp_path: Path) -> None:
    data = {"name": "fake", "shape": [3, 64, 64], "classes": 5, "samples": 8, "batch_size": 4}
    model = {"layers": [{"torchvision": "resnet18"}]}
    trace = traced(subject_of(tmp_path, {"data": data, "model": model}, {}))
    [step] = trace.steps
    rows = {row.layer: row for row in step.forward}
    assert rows["torchvision1.layer1.0.conv1"].symbol == "z"
    relu = rows["torchvision1.layer1.0.relu"].value
    again = rows["torchvision1.layer1.0.relu (2)"].value
    assert float(relu.min()) == float(again.min()) == 0
    assert not torch.equal(relu, again)
    assert float(rows["torchvision1.bn1"].value.min()) < 0, "the relu after it works in place"
    assert "what torchvision1 computes between its modules" in trace.notes[-1]
