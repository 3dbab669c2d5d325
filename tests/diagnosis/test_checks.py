"""Every check warns of a planted fault, and says so in figures."""

from __future__ import annotations

from dataclasses import replace
from math import inf, log
from typing import Any

import pytest

from cnnctl.diagnosis import memorizing
from cnnctl.diagnosis.checks import CHECKS
from cnnctl.diagnosis.facts import Answers, Facts, Yardstick
from cnnctl.diagnosis.history import History
from cnnctl.run_files import EpochMetrics, LayerRecord
from cnnctl.verification.finding import Finding, Verdict
from tests.diagnosis.trainings import experiment_of, findings, trained, untrained, warnings_of

DIGITS = {"name": "digits", "batch_size": 64}
LAYERS: list[Any] = ["flatten", {"linear": 32}, "relu", {"linear": "classes"}]
SMALL: list[Any] = [{"linear": 8}, "relu", {"linear": "classes"}]
LARGE = {"name": "normal", "std": 0.8}
ADAM = {"name": "adam", "lr": 0.01}


def plain(layers: list[Any], *, init: Any = "default", **sections: Any) -> dict[str, Any]:
    model = {"layers": layers, "init": init}
    return {"data": DIGITS, "model": model, "optimizer": ADAM, **sections}


def deep(act: str, *, depth: int) -> list[Any]:
    return ["flatten", *[{"linear": 24}, act] * depth, {"linear": "classes"}]


def two_classes(inputs: list[list[float]], **options: Any) -> dict[str, Any]:
    targets = [number % 2 for number in range(len(inputs))]
    return {"name": "inline", "inputs": inputs, "targets": targets, **options}


RAW = two_classes([[1000.0 + n % 7, 50.0 * (n % 5)] for n in range(40)], normalize=None)
CONTRADICTIONS = two_classes([[0.1 * (n // 2)] for n in range(40)])
STALE = {"momentum": 1e-4}
"""Running statistics that stay as they are initialised."""
DEAD = {"out_features": 32, "bias_init": {"name": "constant", "val": -50}}

BEFORE: dict[str, dict[str, Any]] = {
    "scale of the inputs": plain(SMALL, data=RAW),
    "first loss": plain(LAYERS, init=LARGE),
    "a few samples by heart": plain(SMALL, data=CONTRADICTIONS),
    "dead units": plain(["flatten", {"linear": DEAD}, "relu", {"linear": "classes"}]),
    "saturated units": plain(deep("tanh", depth=1), init=LARGE),
    "vanishing gradients": plain(deep("sigmoid", depth=8)),
    "exploding gradients": plain(deep("tanh", depth=20), init=LARGE),
    "update against weight": plain(LAYERS, optimizer={"name": "sgd", "lr": 1e-6}),
    "training against evaluation mode": plain(
        ["flatten", {"linear": 32}, {"batch_norm": STALE}, "relu", {"linear": "classes"}],
        init=LARGE,
    ),
}
"""A check, and an experiment with the fault that it is for."""


@pytest.fixture
def short_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial of a few samples by heart that is over soon."""
    monkeypatch.setattr(memorizing, "STEPS", 10)


@pytest.mark.usefixtures("short_trial")
@pytest.mark.parametrize("name", BEFORE)
def test_a_fault_is_seen_before_training(name: str) -> None:
    found = findings(untrained(BEFORE[name]))[name]
    assert found.verdict is Verdict.WARNING, found.figure
    assert found.hint


def test_a_sound_experiment_has_no_warning_before_training() -> None:
    assert not warnings_of(untrained(plain(LAYERS)))


@pytest.mark.usefixtures("short_trial")
@pytest.mark.parametrize("lr", [1.0, 10.0])
def test_a_rate_that_is_too_high_is_seen(lr: float) -> None:
    found = warnings_of(untrained(plain(LAYERS, optimizer={"name": "sgd", "lr": lr})))
    assert {"update against weight", "exploding gradients"} & found.keys()


def test_small_weights_of_a_shallow_network_are_no_fault() -> None:
    small = {"name": "normal", "std": 1e-4}
    momentum = {"name": "sgd", "lr": 0.1, "momentum": 0.9}
    assert not warnings_of(untrained(plain(LAYERS, init=small, optimizer=momentum)))


@pytest.mark.usefixtures("short_trial")
def test_half_of_the_units_may_be_dead_in_a_network_that_works() -> None:
    facts = untrained(BEFORE["dead units"])
    assert facts.look is not None
    works = replace(facts, look=replace(facts.look, loss=0.01))
    assert findings(works)["dead units"].verdict is Verdict.FINE


def epochs(
    train: list[float], held_out: list[float], *, right: list[float], right_held_out: list[float]
) -> History:
    rows: list[EpochMetrics] = [
        {
            **{"epoch": at + 1, "step": 100 * (at + 1), "lr": 0.1, "seconds": 2.0},
            **{"train_loss": train[at], "val_loss": held_out[at]},
            **{"train_accuracy": right[at], "val_accuracy": right_held_out[at]},
        }
        for at in range(len(train))
    ]
    return History(rows, {"train": 1000, "val": 100})


FLAT, WELL = [0.5] * 12, [0.9] * 12
AFTER: dict[str, History] = {
    "learns nothing": epochs([2.3] * 12, [2.3] * 12, right=[0.1] * 12, right_held_out=[0.1] * 12),
    "diverging": epochs([0.4] * 6 + [1.5] * 6, FLAT, right=WELL, right_held_out=WELL),
    "swinging": epochs(FLAT, FLAT, right=[0.9, 0.7] * 6, right_held_out=WELL),
    "overfitting": epochs(
        [1 / (at + 1) for at in range(12)],
        [0.6, 0.5, *(0.5 + at / 10 for at in range(10))],
        right=WELL,
        right_held_out=WELL,
    ),
    "standing still": epochs(
        [1e-3] * 12, FLAT, right=[1.0] * 12, right_held_out=[0.7, 0.8] + [0.8] * 10
    ),
    "still falling": epochs(
        *[[2.2 - at / 10 for at in range(12)]] * 2, right=WELL, right_held_out=WELL
    ),
}
"""A check, and the epochs of a run with the fault that it is for."""


def judged_by(history: History) -> dict[str, Finding]:
    return findings(
        Facts(experiment_of(plain(LAYERS)), Yardstick(log(10)), is_trained=True, history=history)
    )


@pytest.mark.parametrize("name", AFTER)
def test_a_fault_is_seen_in_the_epochs(name: str) -> None:
    found = judged_by(AFTER[name])[name]
    assert found.verdict is Verdict.WARNING, found.figure
    assert found.hint


@pytest.mark.parametrize("name", AFTER)
def test_epochs_that_go_well_have_no_warning(name: str) -> None:
    falling = [2 / (at + 1) ** 2 for at in range(12)]
    rising = [1 - share / 3 for share in falling]
    well = epochs(falling, falling, right=rising, right_held_out=rising)
    assert judged_by(well)[name].verdict is Verdict.FINE


def test_what_early_stopping_would_have_saved_is_said() -> None:
    found = judged_by(AFTER["standing still"])["standing still"]
    assert "validation no better since epoch 2" in found.figure
    assert "early_stopping would have saved up to 10 epochs (20 s)" in found.hint


def test_a_spike_of_a_loss_near_zero_is_no_divergence() -> None:
    tiny = epochs([0.4, 1e-5] + [1e-3] * 10, FLAT, right=WELL, right_held_out=WELL)
    assert judged_by(tiny)["diverging"].verdict is Verdict.FINE


def test_swings_within_chance_are_none() -> None:
    few = replace(AFTER["swinging"], samples={"train": 20, "val": 5})
    assert judged_by(few)["swinging"].verdict is Verdict.FINE


def with_answers(**found: Any) -> dict[str, Finding]:
    answers = Answers(**{"task": "", "split": "validation", "samples": 100, "never": (), **found})
    facts = Facts(
        experiment_of(plain(LAYERS)), Yardstick(log(10)), is_trained=True, answers=[answers]
    )
    return findings(facts)


def test_the_same_answer_for_everything_is_seen() -> None:
    found = with_answers(spread=0.0, target_spread=0.9)["the same answer"]
    assert found.verdict is Verdict.WARNING
    assert "the same for 100% of the validation samples" in found.figure
    assert with_answers(spread=0.85, target_spread=0.9)["the same answer"].verdict is Verdict.FINE


def recorded(gradients: list[float]) -> Finding:
    records = [
        LayerRecord(step, 1, {"conv1": {"gradient": gradient}})
        for step, gradient in enumerate(gradients, 1)
    ]
    facts = Facts(experiment_of(plain(LAYERS)), Yardstick(log(10)), is_trained=True)
    return findings(replace(facts, records=records))["recorded steps"]


def test_a_gradient_that_jumps_or_is_not_finite_is_seen_in_the_records() -> None:
    jump = recorded([0.1] * 20 + [2.0] + [0.1] * 20)
    assert jump.verdict is Verdict.WARNING
    assert jump.figure == "the gradient of conv1 jumps to 20 times its median"
    broken = recorded([0.1, inf])
    assert broken.figure == "the gradient of conv1 is not finite at step 2"
    assert recorded([0.1] * 40).verdict is Verdict.FINE


def test_what_a_run_did_not_record_is_said() -> None:
    facts = Facts(experiment_of(plain(LAYERS)), Yardstick(log(10)), is_trained=True)
    assert findings(facts)["recorded steps"].verdict is Verdict.UNKNOWN


def test_batch_norm_with_tiny_batches_is_seen() -> None:
    facts = Facts(experiment_of(plain(LAYERS)), Yardstick(log(10)), is_trained=True)
    normed = replace(facts, mixing=["batch_norm1"], batch_samples=2)
    found = findings(normed)["batch statistics"]
    assert found.verdict is Verdict.WARNING
    assert found.figure == "batch_norm1 has 2 samples a batch"
    enough = replace(normed, batch_samples=32)
    assert findings(enough)["batch statistics"].verdict is Verdict.FINE


def test_a_class_that_is_never_predicted_is_seen_if_it_has_samples() -> None:
    found = with_answers(spread=0.8, target_spread=0.9, never=[("cat", 12), ("dog", 3)])
    warned = found["classes never predicted"]
    assert warned.verdict is Verdict.WARNING
    assert warned.named == ("cat",)


def test_a_training_with_shuffled_labels_learns_nothing() -> None:
    inputs = [[float(n * 7919 % 101), float(n * 104729 % 89)] for n in range(200)]
    data = {
        **two_classes(inputs, batch_size=20),
        "targets": [n * n * 31 % 7 % 2 for n in range(200)],
    }
    facts, _ = trained(
        plain([{"linear": "classes"}], data=data, optimizer="adam", train={"epochs": 8})
    )
    assert "learns nothing" in warnings_of(facts)


def test_a_network_with_dead_units_gives_the_same_answer() -> None:
    facts, _ = trained({**BEFORE["dead units"], "train": {"epochs": 3}})
    found = warnings_of(facts)
    assert {"learns nothing", "the same answer", "dead units"} <= found.keys()
    assert "classes never predicted" not in found  # which would be said twice


def test_every_check_has_a_planted_fault() -> None:
    others = {"recorded steps", "batch statistics", "the same answer", "classes never predicted"}
    assert {check.name for check in CHECKS} == BEFORE.keys() | AFTER.keys() | others
