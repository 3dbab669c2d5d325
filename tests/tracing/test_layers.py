"""Convolution, pooling, norms, dropout and joins, worked independently in NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tracing.conftest import Array, subject_of, traced, values, weight

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.normal(size=(2, 6, 5))
KERNEL = RANDOM.normal(size=(3, 2, 3, 3))
BIAS = RANDOM.normal(size=3)
DENSE = RANDOM.normal(size=(2, 12)) / 4


def experiment(*layers: Any, features: int = 60, **more: Any) -> dict[str, Any]:
    """A network on one sample of so many features, written inline, with a class."""
    return {
        "data": {"name": "inline", "inputs": [IMAGE.ravel()[:features].tolist()], "targets": [1]},
        "model": {"layers": list(layers)},
        "loss": "mse",
        "optimizer": {"name": "sgd", "lr": 0.1},
        **more,
    }


UNFLATTEN = {"unflatten": [2, 6, 5]}


def convolved(x: Array, kernel: Array, *, stride: int, padding: int) -> Array:
    """A convolution by four loops."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    height, width = ((side - kernel.shape[2]) // stride + 1 for side in x.shape[1:])
    found = np.zeros((len(kernel), height, width))
    for c, i, j in np.ndindex(*found.shape):
        window = x[:, i * stride :, j * stride :][:, : kernel.shape[2], : kernel.shape[3]]
        found[c, i, j] = (window * kernel[c]).sum()
    return found


def kernel_gradient(x: Array, back: Array, shape: Any, *, stride: int, padding: int) -> Array:
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    found = np.zeros(shape)
    for c, i, j in np.ndindex(*back.shape):
        window = x[:, i * stride :, j * stride :][:, : shape[2], : shape[3]]
        found[c] += back[c, i, j] * window
    return found


CONV = {"conv": {"out_channels": 3, "padding": 1, "stride": 2}}
CONV_WEIGHTS = {
    "conv1.weight": KERNEL,
    "conv1.bias": BIAS,
    "linear1.weight": DENSE[:, :6],
    "linear1.bias": [0.1, -0.1],
}


def test_convolution_pooling_and_dense_forward_and_back(tmp_path: Path) -> None:
    layers = (UNFLATTEN, CONV, "relu", {"max_pool": {"kernel_size": 2, "stride": 1}}, "flatten")
    subject = subject_of(
        tmp_path,
        experiment(*layers, {"linear": 2}),
        {**CONV_WEIGHTS, "linear1.weight": DENSE},
    )
    [step] = traced(subject).steps
    z = convolved(IMAGE, KERNEL, stride=2, padding=1) + BIAS[:, None, None]
    a = np.maximum(z, 0)
    pooled, winners = np.zeros((3, 2, 2)), dict[tuple[int, ...], tuple[int, ...]]()
    for c, i, j in np.ndindex(3, 2, 2):
        window = a[c, i : i + 2, j : j + 2]
        pooled[c, i, j] = window.max()
        row, column = np.unravel_index(window.argmax(), (2, 2))
        winners[c, i, j] = (c, i + int(row), j + int(column))
    y = DENSE @ pooled.ravel() + [0.1, -0.1]
    target = np.array([0.0, 1.0])
    delta = y - target
    back_pool = (DENSE.T @ delta).reshape(3, 2, 2)
    back_relu = np.zeros((3, 3, 3))
    for at, winner in winners.items():
        back_relu[winner] += back_pool[at]
    back_conv = back_relu * (z > 0)
    assert values(step, "conv1", "z") == pytest.approx(z, abs=1e-5)
    assert values(step, "relu1", "a") == pytest.approx(a, abs=1e-5)
    assert values(step, "max_pool1", "p") == pytest.approx(pooled, abs=1e-5)
    assert values(step, "linear1", "y") == pytest.approx(y, abs=1e-5)
    assert step.losses[0].value == pytest.approx((delta**2).mean(), abs=1e-5)
    assert values(step, "linear1", "delta", back=True) == pytest.approx(delta, abs=1e-5)
    assert values(step, "max_pool1", "dp", back=True) == pytest.approx(back_pool, abs=1e-5)
    assert values(step, "relu1", "da", back=True) == pytest.approx(back_relu, abs=1e-5)
    assert values(step, "conv1", "delta", back=True) == pytest.approx(back_conv, abs=1e-5)
    gradient = kernel_gradient(IMAGE, back_conv, KERNEL.shape, stride=2, padding=1)
    found = weight(step, "conv1 W")
    assert found["gradient"] == pytest.approx(gradient, abs=1e-5)
    assert found["after"] == pytest.approx(KERNEL - 0.1 * gradient, abs=1e-5)
    assert weight(step, "conv1 b")["gradient"] == pytest.approx(back_conv.sum((1, 2)), abs=1e-5)


@pytest.mark.parametrize("at", [(1, 0, 0), (2, 1, 2), (0, 2, 1)])
def test_the_window_kernel_and_product_of_a_convolution(
    tmp_path: Path, at: tuple[int, int, int]
) -> None:
    layers = (UNFLATTEN, CONV, "relu", "global_avg_pool", {"linear": 2})
    weights = {**CONV_WEIGHTS, "linear1.weight": DENSE[:, :3]}
    [step] = traced(subject_of(tmp_path, experiment(*layers), weights), unit="conv1", at=at).steps
    channel, row, column = at
    padded = np.pad(IMAGE, ((0, 0), (1, 1), (1, 1)))
    window = padded[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
    unit = step.unit
    assert unit is not None and unit.factors is not None and unit.products is not None
    assert unit.inputs.numpy() == pytest.approx(window, abs=1e-6)
    assert unit.factors.numpy() == pytest.approx(KERNEL[channel], abs=1e-6)
    assert unit.products.numpy() == pytest.approx(window * KERNEL[channel], abs=1e-6)
    assert unit.bias == pytest.approx(BIAS[channel], abs=1e-6)
    assert unit.output == pytest.approx((window * KERNEL[channel]).sum() + BIAS[channel], abs=1e-5)
    assert unit.corner == (0, 2 * row - 1, 2 * column - 1)
    assert unit.delta == pytest.approx(values(step, "conv1", "delta", back=True)[at])


OPTIONS: list[dict[str, Any]] = [
    {"out_channels": 4, "kernel_size": [3, 2], "dilation": 2, "padding": [2, 1]},
    {"out_channels": 4, "groups": 2, "padding": "same"},
    {"out_channels": 4, "padding": 1, "padding_mode": "reflect"},
    {"out_channels": 4, "padding": 2, "padding_mode": "circular", "stride": 2},
    {"out_channels": 4, "kernel_size": 4, "padding": "same", "bias": False},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_products_of_every_convolution_add_up_to_its_output(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    layers = (UNFLATTEN, {"conv": options}, "global_avg_pool", {"linear": 2})
    subject = subject_of(tmp_path, experiment(*layers), {})
    shape = traced(subject).steps[0].forward[2].value.shape
    for at in ((0, 0, 0), tuple(side - 1 for side in shape), (2, 1, 1)):
        [step] = traced(subject, unit="conv1", at=at).steps
        unit = step.unit
        assert unit is not None and unit.products is not None
        total = float(unit.products.sum()) + (unit.bias or 0.0)
        assert total == pytest.approx(unit.output, abs=1e-5)


POOLS: list[Any] = [
    {"max_pool": {"kernel_size": 3, "stride": 2, "padding": 1}},
    {"max_pool": {"kernel_size": 2, "dilation": 2, "ceil_mode": True}},
    {"avg_pool": {"kernel_size": 3, "stride": 2, "padding": 1}},
    {"avg_pool": {"kernel_size": 3, "padding": 1, "count_include_pad": False}},
    {"adaptive_max_pool": [4, 3]},
    {"adaptive_avg_pool": [4, 3]},
    "global_max_pool",
    "global_avg_pool",
]


@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_every_pooling_shows_its_window_or_its_winner(tmp_path: Path, pool: Any) -> None:
    name = f"{pool if isinstance(pool, str) else next(iter(pool))}1"
    tail = [] if "global" in name else ["flatten"]
    subject = subject_of(tmp_path, experiment(UNFLATTEN, pool, *tail, {"linear": 2}), {})
    outputs = traced(subject).steps[0].forward[2].value
    for at in (tuple(0 for _ in outputs.shape), tuple(side - 1 for side in outputs.shape)):
        [step] = traced(subject, unit=name, at=at).steps
        unit = step.unit
        assert unit is not None
        assert unit.output == pytest.approx(float(outputs[at]))
        if unit.winner:
            assert IMAGE[unit.winner] == pytest.approx(unit.output, abs=1e-6)
            assert float(unit.inputs.max()) == pytest.approx(unit.output)
        else:
            assert unit.products is not None
            assert float(unit.products.sum()) == pytest.approx(unit.output, abs=1e-6)


def test_batch_norm_in_training_and_in_evaluation(tmp_path: Path) -> None:
    layers = (UNFLATTEN, "batch_norm", "global_avg_pool", {"linear": 2})
    weights = {
        "batch_norm1.weight": [1.5, 0.5],
        "batch_norm1.bias": [0.1, -0.2],
        "batch_norm1.running_mean": [0.3, 0.4],
        "batch_norm1.running_var": [2.0, 3.0],
    }
    subject = subject_of(tmp_path, experiment(*layers), weights)
    [training] = traced(subject).steps
    mean, variance = IMAGE.mean((1, 2)), IMAGE.var((1, 2))
    gamma, beta = np.array([1.5, 0.5]), np.array([0.1, -0.2])

    def normalised(mean: Array, variance: Array) -> Array:
        parts = (mean, np.sqrt(variance + 1e-5), gamma, beta)
        m, s, g, b = (part[:, None, None] for part in parts)
        result: Array = g * (IMAGE - m) / s + b
        return result

    assert values(training, "batch_norm1", "μ") == pytest.approx(mean, abs=1e-6)
    assert values(training, "batch_norm1", "σ²") == pytest.approx(variance, abs=1e-5)
    assert values(training, "batch_norm1", "n") == pytest.approx(
        normalised(mean, variance), abs=1e-5
    )
    running = 0.9 * np.array([0.3, 0.4]) + 0.1 * mean
    assert values(training, "batch_norm1", "running μ") == pytest.approx(running, abs=1e-6)
    running = 0.9 * np.array([2.0, 3.0]) + 0.1 * variance * 30 / 29
    assert values(training, "batch_norm1", "running σ²") == pytest.approx(running, abs=1e-5)
    [evaluation] = traced(subject, mode="evaluation").steps
    kept = np.array([0.3, 0.4]), np.array([2.0, 3.0])
    assert values(evaluation, "batch_norm1", "μ") == pytest.approx(kept[0], abs=1e-6)
    assert values(evaluation, "batch_norm1", "n") == pytest.approx(normalised(*kept), abs=1e-5)


def test_the_gradients_of_batch_norm(tmp_path: Path) -> None:
    """dγ = Σ dn x̂ and dβ = Σ dn (Ioffe and Szegedy 2015), also in front of a dropout."""
    layers = (UNFLATTEN, "batch_norm", {"dropout": 0.5}, "flatten", {"linear": 2})
    [step] = traced(subject_of(tmp_path, experiment(*layers), {})).steps
    back = values(step, "batch_norm1", "dn", back=True)
    mask = values(step, "dropout1", "m")
    assert back == pytest.approx(values(step, "dropout1", "dd", back=True) * mask, abs=1e-6)
    mean, variance = (IMAGE.mean((1, 2), keepdims=True), IMAGE.var((1, 2), keepdims=True))
    scaled = (IMAGE - mean) / np.sqrt(variance + 1e-5)
    gradient = weight(step, "batch_norm1 γ")["gradient"]
    assert gradient == pytest.approx((back * scaled).sum((1, 2)), abs=1e-5)
    gradient = weight(step, "batch_norm1 β")["gradient"]
    assert gradient == pytest.approx(back.sum((1, 2)), abs=1e-5)


def test_a_norm_of_one_value_takes_its_running_statistics(tmp_path: Path) -> None:
    layers = ({"linear": 4}, "batch_norm", {"linear": 2})
    inputs = {"name": "inline", "inputs": [[1, 2], [3, 4]], "targets": [0, 1]}
    subject = subject_of(tmp_path, experiment(*layers, data=inputs), {})
    trace = traced(subject)
    assert values(trace.steps[0], "batch_norm1", "μ") == pytest.approx([0, 0, 0, 0])
    note = "batch_norm1 uses its running mean and variance: one sample has no variance"
    assert note in trace.notes


def test_the_mask_of_dropout(tmp_path: Path) -> None:
    layers = ("relu", {"dropout": 0.25}, {"linear": 2})
    subject = subject_of(tmp_path, experiment(*layers), {})
    [step] = traced(subject).steps
    mask, given = values(step, "dropout1", "m"), values(step, "relu1", "a")
    assert set(np.unique(mask.round(4))) == {0.0, round(1 / 0.75, 4)}
    assert values(step, "dropout1", "d") == pytest.approx(mask * given)
    assert (mask == values(traced(subject).steps[0], "dropout1", "m")).all()
    [still] = traced(subject, mode="evaluation").steps
    assert values(still, "dropout1", "d") == pytest.approx(given)
    assert not [row for row in still.forward if row.role == "mask"]


def test_a_residual_block_and_its_gradients(tmp_path: Path) -> None:
    """y = relu(W2 tanh(W1 x) + x): the gradient of x is the sum of both paths."""
    inputs = {"name": "inline", "inputs": [[1.0, -2.0, 0.5]], "targets": [[0.3, 0.1, 0.9]]}
    block = {
        "residual": {
            "layers": [{"linear": 3}, "tanh", {"linear": 3}],
            "activation": "relu",
        }
    }
    first, second = np.diag([1.0, 0.5, -1.0]) + 0.1, np.full((3, 3), 0.2) + np.eye(3)
    weights = {"residual1.linear1.weight": first, "residual1.linear2.weight": second}
    made = experiment(block, data=inputs)
    [step] = traced(subject_of(tmp_path, made, weights)).steps
    x = np.array([1.0, -2.0, 0.5])
    a = np.tanh(first @ x)
    total = second @ a + x
    y = np.maximum(total, 0)
    [join] = [row for row in step.forward if row.role == "join"]
    assert (join.layer, join.formula) == ("residual1", "residual1.linear2 + input")
    assert join.value.numpy() == pytest.approx(total, abs=1e-6)
    assert values(step, "residual1.activation.relu1", "y") == pytest.approx(y, abs=1e-6)
    back = 2 / 3 * (y - [0.3, 0.1, 0.9]) * (total > 0)
    assert values(step, "residual1", "dx", back=True) == pytest.approx(back, abs=1e-6)
    hidden = (second.T @ back) * (1 - a**2)
    assert values(step, "residual1.linear1", "delta", back=True) == pytest.approx(hidden, abs=1e-6)
    given = first.T @ hidden + back
    assert values(step, "input", "dx", back=True) == pytest.approx(given, abs=1e-6)


@pytest.mark.parametrize("join", ["concatenate", "add", "multiply", "mean"])
def test_branches_are_joined_as_they_say(tmp_path: Path, join: str) -> None:
    layers = ({"branches": {"ways": [["tanh"], []], "join": join}}, {"linear": 2})
    [step] = traced(subject_of(tmp_path, experiment(*layers, features=4), {})).steps
    x = IMAGE.ravel()[:4]
    expected = {
        "concatenate": np.concatenate([np.tanh(x), x]),
        "add": np.tanh(x) + x,
        "multiply": np.tanh(x) * x,
        "mean": (np.tanh(x) + x) / 2,
    }[join]
    [row] = [row for row in step.forward if row.role == "join"]
    assert row.value.numpy() == pytest.approx(expected, abs=1e-6)
    assert (
        row.formula
        == {
            "concatenate": "[branches1.branch1.tanh1, input]",
            "add": "branches1.branch1.tanh1 + input",
            "multiply": "branches1.branch1.tanh1 ⊙ input",
            "mean": "(branches1.branch1.tanh1 + input) / 2",
        }[join]
    )


def test_a_network_without_weights_has_no_update(tmp_path: Path) -> None:
    inputs = {"name": "inline", "inputs": [[1.0, 2.0]], "targets": [[0.5, 0.25]]}
    [step] = traced(subject_of(tmp_path, experiment("sigmoid", data=inputs), {})).steps
    y = 1 / (1 + np.exp(-np.array([1.0, 2.0])))
    assert values(step, "sigmoid1", "y") == pytest.approx(y, abs=1e-6)
    back = (y - [0.5, 0.25]) * y * (1 - y)
    assert values(step, "input", "dx", back=True) == pytest.approx(back, abs=1e-6)
    assert (step.weights, step.optimizer) == ([], "")


def test_the_derivatives_of_a_unit_without_weights(tmp_path: Path) -> None:
    layers = ({"linear": 3}, "softmax")
    data = {
        "name": "inline",
        "inputs": [[1.0, 2.0]],
        "targets": [
            0,
        ],
        "classes": ["a", "b", "c"],
    }
    subject = subject_of(tmp_path, experiment(*layers, data=data), {})
    [step] = traced(subject, unit="softmax1.1").steps
    shares = values(step, "softmax1", "y")
    unit = step.unit
    assert unit is not None and unit.factors is not None and unit.is_derivative
    slopes = shares[1] * (np.eye(3)[1] - shares)
    assert unit.factors.numpy() == pytest.approx(slopes, abs=1e-6)
