from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cnnctl.model.layer import Layer, Shape

CASES: list[tuple[Any, nn.Module]] = [
    ("relu", nn.ReLU()),
    ("relu6", nn.ReLU6()),
    ("leaky_relu", nn.LeakyReLU()),
    ({"leaky_relu": 0.2}, nn.LeakyReLU(0.2)),
    ("prelu", nn.PReLU()),
    ({"prelu": {"num_parameters": 4, "init": 0.1}}, nn.PReLU(4)),
    ("elu", nn.ELU()),
    ({"elu": 0.5}, nn.ELU(0.5)),
    ("celu", nn.CELU()),
    ({"celu": 2}, nn.CELU(2.0)),
    ("selu", nn.SELU()),
    ("gelu", nn.GELU()),
    ({"gelu": {"approximate": "tanh"}}, nn.GELU("tanh")),
    ("silu", nn.SiLU()),
    ("mish", nn.Mish()),
    ("hardswish", nn.Hardswish()),
    ("hardsigmoid", nn.Hardsigmoid()),
    ("hardtanh", nn.Hardtanh()),
    ({"hardtanh": {"min_val": -0.5, "max_val": 0.25}}, nn.Hardtanh(-0.5, 0.25)),
    ("softplus", nn.Softplus()),
    ({"softplus": {"beta": 2, "threshold": 1}}, nn.Softplus(2, 1)),
    ("softsign", nn.Softsign()),
    ("tanh", nn.Tanh()),
    ("sigmoid", nn.Sigmoid()),
    ("log_sigmoid", nn.LogSigmoid()),
    ("softmax", nn.Softmax(dim=1)),
    ("log_softmax", nn.LogSoftmax(dim=1)),
]


@pytest.mark.parametrize("input", [(4,), (4, 7), (4, 5, 6)], ids=str)
@pytest.mark.parametrize(("item", "expected"), CASES, ids=str)
def test_an_activation_is_torchs_own(
    item: Any, expected: nn.Module, input: Shape, same: Callable[..., None]
) -> None:
    same(item, input, expected)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("sigmoid", [[2.0]], [[0.8808]]),
        ("relu", [[-1.0]], [[0.0]]),
        ("softmax", [[1.0, 2.0, 3.0]], [[0.0900, 0.2447, 0.6652]]),
        ("step", [[-0.5, 0.0, 2.0]], [[0.0, 1.0, 1.0]]),
        ({"step": 0}, [[-0.5, 0.0, 2.0]], [[0.0, 0.0, 1.0]]),
        ({"maxout": 2}, [[1.0, 5.0, -2.0, -3.0]], [[5.0, -2.0]]),
    ],
)
def test_values_worked_by_hand(
    kind: Any, value: list[list[float]], expected: list[list[float]]
) -> None:
    values = torch.tensor(value)
    output = Layer.read(kind).build((values.shape[1],))(values)
    torch.testing.assert_close(output, torch.tensor(expected), rtol=0, atol=1e-4)


def test_the_gradient_of_a_step_is_0() -> None:
    values = torch.tensor([[-1.0, 0.0, 3.0]], requires_grad=True)
    Layer.read("step").build((3,))(values).sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [[0, 0, 0]]


def test_maxout_takes_groups_of_channels(faults_of: Callable[..., list[str]]) -> None:
    module = Layer.read({"maxout": 3}).build((6, 2, 2))
    samples = torch.randn(4, 6, 2, 2)
    expected = [samples[:, :3].amax(1), samples[:, 3:].amax(1)]
    assert torch.equal(module(samples), torch.stack(expected, dim=1))
    assert faults_of("{layers: [maxout: 4]}", (6, 2, 2)) == [
        "model.layers.0.maxout.pieces: 4 does not divide 6 channels of 2x2\n    use a divisor of 6"
    ]


def test_every_activation_has_its_role_for_initialisation() -> None:
    silent = {Layer.read(item).kind for item, _ in CASES if Layer.read(item).acts_as is None}
    assert silent == set()


def test_slopes_that_do_not_fit_the_channels(faults_of: Callable[..., list[str]]) -> None:
    text = "{layers: [prelu: {num_parameters: 4}]}"
    assert faults_of(text, (3, 8, 8)) == [
        "model.layers.0.prelu.num_parameters: 4 slopes do not fit 3 channels of 8x8\n    use 1 or 3"
    ]


def test_limits_in_the_wrong_order(faults_of: Callable[..., list[str]]) -> None:
    assert faults_of("{layers: [hardtanh: {min_val: 2}]}") == [
        "model.layers.0: hardtanh: min_val = 2 is not below max_val = 1\n    swap them"
    ]
