from collections.abc import Callable
from math import exp, pi, sqrt
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from cnnctl.model.initializers import Activation, FanInitializer, Initializer

FAN_IN, FAN_OUT = 64 * 9, 128 * 9
SELDOM = 1 - 2 * 2 * exp(-2) / sqrt(2 * pi) / 0.9544997
"""Variance of a standard normal cut off at 2 (https://en.wikipedia.org/wiki/
Truncated_normal_distribution): 1 - 2 b pdf(b) / (cdf(b) - cdf(-b))."""


def start(item: Any, *, activation: Activation = "linear", shape: tuple[int, ...] = ()) -> Tensor:
    """A large weight, of a 3x3 convolution unless told otherwise, started so."""
    weight = torch.empty(shape or (128, 64, 3, 3))
    initializer = Initializer.read(item)
    initializer.check(tuple(weight.shape))
    initializer.fill(weight, activation=activation, generator=Generator().manual_seed(3))
    return weight


@pytest.mark.parametrize(
    ("item", "variance"),
    [
        ("kaiming_normal", 2 / FAN_IN),
        ({"name": "kaiming_normal", "mode": "fan_out"}, 2 / FAN_OUT),
        ({"name": "kaiming_normal", "nonlinearity": "tanh"}, 25 / 9 / FAN_IN),
        ({"name": "kaiming_normal", "a": 0.5}, 2 / 1.25 / FAN_IN),
        ({"name": "kaiming_normal", "nonlinearity": "auto"}, 1 / FAN_IN),
        ("kaiming_uniform", 2 / FAN_IN),
        ({"name": "kaiming_uniform", "mode": "fan_out", "a": 1}, 1 / FAN_OUT),
        ("xavier_normal", 2 / (FAN_IN + FAN_OUT)),
        ({"name": "xavier_normal", "gain": 3}, 9 * 2 / (FAN_IN + FAN_OUT)),
        ("xavier_uniform", 2 / (FAN_IN + FAN_OUT)),
        ({"name": "xavier_uniform", "gain": 3}, 9 * 2 / (FAN_IN + FAN_OUT)),
        ({"name": "normal", "std": 0.02}, 0.02**2),
        ("trunc_normal", SELDOM),
        ({"name": "uniform", "a": -1, "b": 1}, 1 / 3),
        ({"name": "orthogonal", "gain": 2}, 4 / FAN_IN),
    ],
    ids=str,
)
def test_the_variance_is_that_of_the_formula(item: Any, variance: float) -> None:
    weight = start(item)
    assert weight.var().item() == pytest.approx(variance, rel=0.02)
    assert weight.mean().item() == pytest.approx(0, abs=5 * sqrt(variance / weight.numel()))


@pytest.mark.parametrize(
    ("activation", "variance"),
    [
        ("relu", 2 / FAN_IN),
        ("leaky_relu", 2 / FAN_IN),
        ("selu", 1 / FAN_IN),
        ("tanh", 2 / (FAN_IN + FAN_OUT)),
        ("sigmoid", 2 / (FAN_IN + FAN_OUT)),
        ("linear", 2 / (FAN_IN + FAN_OUT)),
    ],
)
def test_the_default_follows_the_activation(activation: Activation, variance: float) -> None:
    assert start("default", activation=activation).var().item() == pytest.approx(variance, rel=0.02)


FIXED: dict[str, Any] = {"constant": {"val": -0.3}, "values": {"values": [[1.0, -2.0], [0.5, 0.0]]}}


@pytest.mark.parametrize("activation", ["relu", "selu", "tanh"])
@pytest.mark.parametrize("kind", sorted(Initializer.kinds))
def test_the_root_mean_square_is_the_one_expected(kind: str, activation: Activation) -> None:
    item: dict[str, Any] = {"name": kind, **FIXED.get(kind, {})}
    shape: tuple[int, ...] = (2, 2) if kind == "values" else (64, 48, 3, 3)
    expected = Initializer.read(item).rms(shape, activation=activation)
    weight = start(item, activation=activation, shape=shape)
    assert weight.square().mean().sqrt().item() == pytest.approx(expected, rel=0.13)
    assert Initializer.read(item).starts_equal == bool((weight == weight.flatten()[0]).all())


def test_values_stay_within_their_limits() -> None:
    item = {"name": "trunc_normal", "mean": 1, "std": 2, "a": -1, "b": 1.5}
    assert -1 <= start(item).min() < start(item).max() <= 1.5
    assert 3 <= start({"name": "uniform", "a": 3, "b": 4}).min() < 3.01


def test_a_mean_is_kept() -> None:
    item = {"name": "normal", "mean": 3, "std": 0.5}
    assert start(item).mean().item() == pytest.approx(3, abs=0.01)


def test_rows_at_right_angles() -> None:
    rows = start({"name": "orthogonal", "gain": 2}, shape=(20, 50))
    torch.testing.assert_close(rows @ rows.T, 4 * torch.eye(20))


def test_dirac_passes_the_channels_through() -> None:
    conv = nn.Conv2d(4, 8, 3, padding=1, bias=False)
    conv.weight = nn.Parameter(start({"name": "dirac", "groups": 2}, shape=(8, 4, 3, 3)))
    images = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(conv(images), images.repeat(1, 2, 1, 1))


@pytest.mark.parametrize(
    ("item", "value"), [("zeros", 0.0), ("ones", 1.0), ({"name": "constant", "val": 0.25}, 0.25)]
)
def test_one_value_everywhere(item: Any, value: float) -> None:
    assert start(item, shape=(3,)).tolist() == [value] * 3


@pytest.mark.parametrize(
    "values", [[0.5, -2], [[1, 2, 3], [4, 5, 6]], [[[1, 2]], [[3, 4]]], [[[[1, 2], [3, 4.5]]]]]
)
def test_values_are_those_written(values: list[Any]) -> None:
    shape = tuple(torch.tensor(values).shape)
    assert start({"name": "values", "values": values}, shape=shape).tolist() == values


@pytest.mark.parametrize("kind", sorted(set(Initializer.kinds) - {"constant", "values"}))
def test_the_generator_alone_decides(kind: str) -> None:
    torch.manual_seed(1)
    first = start(kind)
    torch.manual_seed(2)
    assert torch.equal(first, start(kind))


@pytest.mark.parametrize(
    ("init", "fault"),
    [
        (
            "{name: trunc_normal, a: 5}",
            ": a = 5 is not below b = 2\n    swap them",
        ),
        (
            "{name: trunc_normal, mean: 9}",
            ": mean = 9 is more than two std outside [-2, 2]\n    change mean, or a and b",
        ),
        ("{name: uniform, a: 5}", ": a = 5 is above b = 1\n    swap them"),
        (
            "{name: dirac, groups: 3}",
            ".groups: 3 does not divide the 4 output channels\n    use a divisor of 4",
        ),
        ("constant", ": constant needs val\n    write {name: constant, val: …}"),
        (
            "{name: normal, std: -1}",
            ".std: -1 is too small\n    write a number of at least 0",
        ),
        (
            "{name: xavier_normal, gain: .nan}",
            ".gain: .nan is not finite\n    write a finite number",
        ),
    ],
)
def test_what_does_not_fit_is_named_at_the_initializer(
    init: str, fault: str, faults_of: Callable[..., list[str]]
) -> None:
    text = f"{{layers: [conv: {{out_channels: 4, init: {init}}}]}}"
    assert faults_of(text) == [f"model.layers.0.conv.init{fault}"]


@pytest.mark.parametrize(
    "kind",
    [kind for kind, member in Initializer.kinds.items() if issubclass(member, FanInitializer)],
)
def test_a_bias_has_no_inputs_and_outputs(kind: str, faults_of: Callable[..., list[str]]) -> None:
    text = f"{{layers: [conv: {{out_channels: 4, bias_init: {kind}}}]}}"
    assert faults_of(text) == [
        f"model.layers.0.conv.bias_init: {kind} cannot initialise a bias\n"
        "    use zeros, constant, normal or uniform"
    ]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (
            "{out_features: 2, init: {name: values, values: [[1, 2], [3, 4], [5, 6]]}}",
            "init.values: 3x2 numbers do not fit a weight of 2x3\n    write 2 lists of 3 numbers",
        ),
        (
            "{out_features: 1, bias_init: {name: values, values: [1, 2]}}",
            "bias_init.values: 2 numbers do not fit a bias of 1\n    write 1 number",
        ),
        (
            "{out_features: 2, init: {name: values, values: [[1, 2, 3], [3, 4]]}}",
            "init.values: lists side by side have 2 and 3 numbers\n    make them the same length",
        ),
        (
            "{out_features: 2, init: {name: values, values: [[1, 2, 3], [3, 4, a]]}}",
            "init.values.1.2: a is not a number\n    write a number (like 0.1)",
        ),
    ],
)
def test_values_have_the_shape_of_their_tensor(
    options: str, fault: str, faults_of: Callable[..., list[str]]
) -> None:
    text = f"{{layers: [linear: {options}]}}"
    assert faults_of(text, input=(3,)) == [f"model.layers.0.linear.{fault}"]


def test_the_models_initializer_must_fit_every_layer(
    faults_of: Callable[..., list[str]],
) -> None:
    text = "{layers: [conv: 4, flatten, linear: 3, linear: 2], init: dirac}"
    assert faults_of(text) == [
        "model.init: dirac initialises convolution kernels, not a weight of 3x144\n"
        "    use another initializer for this layer, such as orthogonal"
    ]
