"""Small networks, worked independently in NumPy and compared in every row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnctl.tracing.text import render
from tests.tracing.conftest import Array, subject_of, traced, values, weight

MAZUR: dict[str, Any] = {
    "data": {"name": "inline", "inputs": [[0.05, 0.10]], "targets": [[0.01, 0.99]]},
    "model": {"layers": [{"linear": 2}, "sigmoid", {"linear": 2}, "sigmoid"]},
    "loss": "mse",
    "optimizer": {"name": "sgd", "lr": 0.5},
}
MAZURS_WEIGHTS = {
    "linear1.weight": [[0.15, 0.20], [0.25, 0.30]],
    "linear1.bias": [0.35, 0.35],
    "linear2.weight": [[0.40, 0.45], [0.50, 0.55]],
    "linear2.bias": [0.60, 0.60],
}


def test_the_numbers_that_mazur_published(tmp_path: Path) -> None:
    """Matt Mazur, A Step by Step Backpropagation Example, 2015; E is half the sum of squares.

    https://mattmazur.com/2015/03/17/a-step-by-step-backpropagation-example/
    """
    [step] = traced(subject_of(tmp_path, MAZUR, MAZURS_WEIGHTS)).steps
    assert values(step, "linear1", "z") == pytest.approx([0.3775, 0.3925])
    assert values(step, "sigmoid1", "a") == pytest.approx([0.593269992, 0.596884378])
    assert values(step, "sigmoid2", "y") == pytest.approx([0.75136507, 0.772928465])
    assert step.losses[0].value == pytest.approx(0.298371109)
    parts = [part.value / step.losses[0].working.divisor for part in step.losses[0].working.parts]
    assert parts == pytest.approx([0.274811083, 0.023560026], rel=1e-6)
    assert values(step, "linear2", "delta", back=True) == pytest.approx([0.138498562, -0.038098236])
    assert weight(step, "linear2 W")["gradient"][0, 0] == pytest.approx(0.082167041)
    after = weight(step, "linear2 W")["after"]
    assert after.ravel() == pytest.approx([0.35891648, 0.408666186, 0.511301270, 0.561370121])
    after = weight(step, "linear1 W")["after"]
    assert after.ravel() == pytest.approx([0.149780716, 0.19956143, 0.24975114, 0.29950229])


ISSUE: dict[str, Any] = {
    **MAZUR,
    "data": {"name": "inline", "inputs": [[1, 2, 3]], "targets": [[0.8, 0.2]]},
    "model": {"layers": [{"linear": 4}, "sigmoid", {"linear": 2}, "sigmoid"]},
}
ISSUES_WEIGHTS = {
    "linear1.weight": [[0.1, 0.2, 0.3], [0.4, -0.3, 0.2], [-0.2, 0.1, 0.2], [0.2, 0.1, -0.2]],
    "linear1.bias": [0.1, 0.0, -0.1, 0.0],
    "linear2.weight": [[0.3, -0.2, 0.1, 0.4], [-0.1, 0.2, 0.3, -0.4]],
    "linear2.bias": [0.05, -0.05],
}


def test_the_page_of_a_3_4_2_network(tmp_path: Path) -> None:
    text = render(traced(subject_of(tmp_path, ISSUE, ISSUES_WEIGHTS)))
    assert text.splitlines() == [
        "input                    1.0000  2.0000  3.0000",
        "linear1   z = W x + b    1.5000  0.4000  0.5000 -0.2000",
        "sigmoid1  a              0.8176  0.5987  0.6225  0.4502",
        "linear2   z              0.4178 -0.0053",
        "sigmoid2  y              0.6030  0.4987      target 0.8000 0.2000",
        "mse       0.0640 = ((-0.1970)² + 0.2987²) / 2",
        "back",
        "sigmoid2  dy            -0.1970  0.2987",
        "linear2   delta         -0.0472  0.0747",
        "sigmoid1  da            -0.0216  0.0244  0.0177 -0.0487",
        "linear1   delta         -0.0032  0.0059  0.0042 -0.0121",
        "input     dx            -0.0012 -0.0032  0.0034",
        "gradients",
        "linear2   dW[0]         -0.0386 -0.0282 -0.0294 -0.0212",
        "          dW[1]          0.0610  0.0447  0.0465  0.0336",
        "linear2   db            -0.0472  0.0747",
        "linear1   dW[0]         -0.0032 -0.0064 -0.0097",
        "          dW[1]          0.0059  0.0117  0.0176",
        "          dW[2]          0.0042  0.0083  0.0125",
        "          dW[3]         -0.0121 -0.0241 -0.0362",
        "linear1   db            -0.0032  0.0059  0.0042 -0.0121",
        "update, sgd 0.5: W - 0.5 dW",
        "linear2   W[0]   0.3000 -0.2000 0.1000 0.4000 → 0.3193 -0.1859 0.1147 0.4106",
        "linear2   W[1]   -0.1000 0.2000 0.3000 -0.4000 → -0.1305 0.1776 0.2768 -0.4168",
        "linear2   b      0.0500 -0.0500 → 0.0736 -0.0873",
        "linear1   W[0]   0.1000 0.2000 0.3000 → 0.1016 0.2032 0.3048",
        "linear1   W[1]   0.4000 -0.3000 0.2000 → 0.3971 -0.3059 0.1912",
        "linear1   W[2]   -0.2000 0.1000 0.2000 → -0.2021 0.0958 0.1938",
        "linear1   W[3]   0.2000 0.1000 -0.2000 → 0.2060 0.1121 -0.1819",
        "linear1   b      0.1000 0.0000 -0.1000 0.0000 → 0.1016 -0.0029 -0.1021 0.0060",
    ]


def sigmoid(z: Array) -> Array:
    result: Array = 1 / (1 + np.exp(-z))
    return result


def softmax(z: Array) -> Array:
    shares: Array = np.exp(z - z.max())
    shares /= shares.sum()
    return shares


class Hand:
    """A chain of dense layers, worked by the formulas of a textbook; nothing of torch."""

    def __init__(self, weights: dict[str, Any], layers: list[str]) -> None:
        self.weights = {name: np.array(each, dtype=np.float64) for name, each in weights.items()}
        self.layers = layers
        self.state: dict[str, dict[str, Array]] = {}
        self.steps = 0

    def pass_through(self, x: Array, t: Array, loss: str) -> tuple[float, dict[str, Array]]:
        """The loss, and every tensor by its name in the trace."""
        seen: dict[str, Array] = {}
        inputs, outputs = list[Array](), list[Array]()
        for name in self.layers:
            inputs.append(x)
            x = self.forward(name, x)
            outputs.append(x)
            seen[f"{name} out"] = x
        if loss == "mse":
            value, back = float(((x - t) ** 2).mean()), 2 * (x - t) / len(x)
        elif loss == "bce":
            value = float(-(t * np.log(x) + (1 - t) * np.log(1 - x)).mean())
            back = (x - t) / (x * (1 - x)) / len(x)
        else:
            value, back = float(-(t * np.log(softmax(x))).sum()), softmax(x) - t
        for name, given, found in zip(self.layers[::-1], inputs[::-1], outputs[::-1], strict=True):
            seen[f"{name} back"] = back
            if name.startswith("linear"):
                seen[f"{name} W"], seen[f"{name} b"] = np.outer(back, given), back
                back = self.weights[f"{name}.weight"].T @ back
            elif name.startswith("sigmoid"):
                back = back * found * (1 - found)
            elif name.startswith("relu"):
                back = back * (given > 0)
            else:
                back = (np.diag(found) - np.outer(found, found)) @ back
        return value, seen

    def forward(self, name: str, x: Array) -> Array:
        if name.startswith("linear"):
            result: Array = self.weights[f"{name}.weight"] @ x + self.weights[f"{name}.bias"]
            return result
        kinds = {"sigmoid": sigmoid, "relu": lambda z: np.maximum(z, 0), "softmax": softmax}
        bent: Array = kinds[name.rstrip("0123456789")](x)
        return bent

    def update(self, name: str, gradient: Array, options: dict[str, Any]) -> None:
        """One of the optimizers, from its paper."""
        lr, kind, state = options["lr"], options["name"], self.state.setdefault(name, {})
        if kind == "sgd":
            momentum = options.get("momentum", 0.0)
            state["v"] = momentum * state.get("v", 0.0) + gradient
            change = lr * state["v"]
        else:
            state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * gradient
            state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * gradient**2
            first, second = 1 - 0.9**self.steps, 1 - 0.999**self.steps
            change = lr * (state["m"] / first) / (np.sqrt(state["v"] / second) + 1e-8)
        self.weights[name] = self.weights[name] - change


WORKED_3_3_2_2: dict[str, Any] = {
    "data": {"name": "inline", "inputs": [[0.1, 0.9, 0.3]], "targets": [1]},
    "model": {
        "layers": [{"linear": 3}, "sigmoid", {"linear": 2}, "relu", {"linear": 2}, "softmax"]
    },
    "loss": "bce",
}
WEIGHTS_3_3_2_2 = {
    "linear1.weight": [[0.2, -0.4, 0.1], [0.7, 0.3, -0.6], [-0.5, 0.8, 0.2]],
    "linear1.bias": [0.1, -0.2, 0.05],
    "linear2.weight": [[0.6, -0.3, 0.4], [0.2, 0.5, -0.9]],
    "linear2.bias": [0.1, 0.4],
    "linear3.weight": [[0.3, -0.7], [0.5, 0.9]],
    "linear3.bias": [0.0, 0.2],
}
WITH_LOGITS = {
    **WORKED_3_3_2_2,
    "model": {"layers": WORKED_3_3_2_2["model"]["layers"][:-1]},
    "loss": "cross_entropy",
}
CASES = {
    "3-4-2 mse": (ISSUE, ISSUES_WEIGHTS, ["linear1", "sigmoid1", "linear2", "sigmoid2"]),
    "3-3-2-2 bce": (
        WORKED_3_3_2_2,
        WEIGHTS_3_3_2_2,
        ["linear1", "sigmoid1", "linear2", "relu1", "linear3", "softmax1"],
    ),
    "3-3-2-2 cross_entropy": (
        WITH_LOGITS,
        WEIGHTS_3_3_2_2,
        ["linear1", "sigmoid1", "linear2", "relu1", "linear3"],
    ),
}
OPTIMIZERS: list[dict[str, Any]] = [
    {"name": "sgd", "lr": 0.5},
    {"name": "sgd", "lr": 0.1, "momentum": 0.9},
    {"name": "adam", "lr": 0.01},
]
PENALTIES: list[dict[str, float]] = [{}, {"l1": 0.01, "l2": 0.1}, {"weight_decay": 0.2}]


@pytest.mark.parametrize("penalties", PENALTIES, ids=str)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_three_steps_are_those_worked_by_hand(
    tmp_path: Path, case: str, optimizer: dict[str, Any], penalties: dict[str, float]
) -> None:
    experiment, weights, layers = CASES[case]
    experiment = {**experiment, "optimizer": optimizer, "regularization": penalties}
    trace = traced(subject_of(tmp_path, experiment, weights), steps=3)
    hand, data = Hand(weights, layers), experiment["data"]
    target = data["targets"][0]
    t = np.array(target if isinstance(target, list) else [1.0 - target, float(target)])
    for step in trace.steps:
        hand.steps += 1
        value, seen = hand.pass_through(np.array(data["inputs"][0]), t, experiment["loss"])
        assert step.losses[0].value == pytest.approx(value, abs=2e-6)
        for row in step.forward[1:]:
            assert row.value.numpy() == pytest.approx(seen[f"{row.layer} out"], abs=2e-6)
        for row in step.backward[:-1]:
            assert row.value.numpy() == pytest.approx(seen[f"{row.layer} back"], abs=2e-6)
        whole = value
        for each in step.weights:
            name = f"{each.layer}.{'weight' if each.letter == 'W' else 'bias'}"
            found, before = weight(step, each.name), hand.weights[name]
            gradient = seen[each.name]
            assert found["gradient"] == pytest.approx(gradient, abs=2e-6)
            assert found["before"] == pytest.approx(before, abs=2e-6)
            if each.letter == "W":
                l1, l2 = penalties.get("l1", 0.0), penalties.get("l2", 0.0)
                whole += l1 * np.abs(before).sum() + l2 / 2 * (before**2).sum()
                added = l1 * np.sign(before) + (l2 + penalties.get("weight_decay", 0.0)) * before
                gradient = gradient + added
                if added.any():
                    assert found["g"] == pytest.approx(gradient, abs=2e-6)
            hand.update(name, gradient, optimizer)
            assert found["after"] == pytest.approx(hand.weights[name], abs=2e-5)
            assert found["W"] == pytest.approx(found["after"], abs=1e-6)
            for symbol in {"m", "v"} & set(found):
                assert found[symbol] == pytest.approx(hand.state[name][symbol], abs=2e-6)
        assert step.total == pytest.approx(whole, abs=2e-6)


@pytest.mark.parametrize("case", CASES)
def test_every_digit_that_is_shown_is_right(tmp_path: Path, case: str) -> None:
    experiment, weights, layers = CASES[case]
    lines = iter(render(traced(subject_of(tmp_path, experiment, weights))).splitlines()[1:])
    data = experiment["data"]
    target = data["targets"][0]
    t = np.array(target if isinstance(target, list) else [1.0 - target, float(target)])
    hand = Hand(weights, layers)
    value, seen = hand.pass_through(np.array(data["inputs"][0]), t, experiment["loss"])

    def numbers(name: str) -> str:
        return "".join(f"{number:8.4f}" for number in seen[name]).replace("-0.0000", " 0.0000")

    for name in layers:
        line = next(lines)
        assert line.startswith(f"{name} ")
        assert numbers(f"{name} out") in line
    while (line := next(lines)) != "back":
        last = line
    assert last.startswith(f"{experiment['loss']} ")
    assert f" {value:.4f} = " in last
    for name in reversed(layers):
        assert next(lines).endswith(numbers(f"{name} back"))
