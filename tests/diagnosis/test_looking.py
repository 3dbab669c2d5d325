"""A look at a network, and steps from it, are those of training; nothing of them is kept."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cnnctl.diagnosis.looking import look_at
from cnnctl.diagnosis.memorizing import try_to_memorize
from cnnctl.diagnosis.stepping import run_of, take_steps
from cnnctl.training.setup import Setup
from tests.diagnosis.trainings import setup_of

LAYERS: list[Any] = [
    *("flatten", {"linear": 12}, "batch_norm", "relu", {"dropout": 0.5}),
    {"linear": "classes"},
]


def setup(layers: list[Any] = LAYERS, **more: Any) -> Setup:
    data = {"name": "digits", "batch_size": 64, "drop_last": True}
    return setup_of({"data": data, "model": {"layers": layers}, "optimizer": "sgd", **more})


def test_a_look_is_the_evaluation_of_the_training_samples() -> None:
    own = setup()
    run = run_of(own, None)
    rows = own.batches.train.order(0)[:512]
    inputs, targets = own.batches.train.source.take(rows)
    found = look_at(
        run.network, own.batches.train, plan=run.plan, tasks=run.answers, precision="fp32"
    )
    assert run.network.training
    with torch.no_grad():
        outputs = run.network.eval()(inputs)
    expected = float(torch.nn.functional.cross_entropy(outputs, targets))
    assert found.loss == pytest.approx(expected, rel=1e-5)
    assert found.inputs.mean == pytest.approx(float(inputs.mean()), abs=1e-5)
    assert found.inputs.spread == pytest.approx(float(inputs.std()), rel=1e-3)
    assert [layer.name for layer in found.layers if layer.is_matrix] == ["linear1", "linear2"]


def test_only_activations_that_no_weights_follow_are_outputs() -> None:
    own = setup(["flatten", {"linear": 4}, "sigmoid", {"linear": "classes"}, "sigmoid"], loss="bce")
    run = run_of(own, None)
    found = look_at(
        run.network, own.batches.train, plan=run.plan, tasks=run.answers, precision="fp32"
    )
    assert [layer.name for layer in found.layers if layer.is_output] == ["sigmoid2"]


def test_steps_change_no_weights_that_are_given() -> None:
    own = setup()
    weights = run_of(own, None).network.state_dict()
    before = {name: tensor.clone() for name, tensor in weights.items()}
    steps = take_steps(own, weights, count=4)
    assert steps.count == len(steps.norms) == 4
    assert all(torch.equal(before[name], tensor) for name, tensor in weights.items())


def test_the_first_loss_of_steps_is_that_without_dropout() -> None:
    steps = take_steps(setup(), None, count=1)
    dropped = [layer for layer in LAYERS if layer != {"dropout": 0.5}]
    without = take_steps(setup(dropped), None, count=1)
    assert steps.losses[0].loss == pytest.approx(without.losses[0].loss, rel=1e-6)


def test_a_summed_loss_has_the_gradients_of_the_mean() -> None:
    summed = setup(loss={"name": "cross_entropy", "reduction": "sum"})
    one, other = (take_steps(each, None, count=1) for each in (setup(), summed))
    assert other.norms == pytest.approx(one.norms, rel=1e-4)
    pairs = zip(one.layers, other.layers, strict=True)
    gradients = [(a.figures.gradient, b.figures.gradient) for a, b in pairs if a.is_matrix]
    assert len(gradients) == 2
    assert all(a == pytest.approx(b, rel=1e-4) for a, b in gradients)


def test_samples_are_learned_by_heart_without_what_keeps_a_network_from_it() -> None:
    hindered = setup(
        optimizer={"name": "adamw", "lr": 0.01, "weight_decay": 50.0},
        regularization={"label_smoothing": 0.9, "clip_norm": 1e-6},
    )
    trial = try_to_memorize(hindered, None)
    assert trial.is_learned
    assert trial.samples == 32
    assert trial.steps < 60
