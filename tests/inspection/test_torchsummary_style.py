from collections.abc import Callable

import pytest
import torch
import torchsummary
from torch import nn

from cnnctl.errors import FaultError
from cnnctl.inspection import torchsummary_text
from cnnctl.model.layers.linear import Linear
from cnnctl.model.network import NetworkPlan

Architecture = Callable[..., NetworkPlan]


def rows(text: str) -> list[str]:
    """Layer, output shape and parameters of each line that has a number."""
    lines = text.splitlines()[3:]
    table = lines[: next(i for i, line in enumerate(lines) if line.startswith("="))]
    return [" ".join(line.split()) for line in table]


def test_the_linear_layers_of_the_3_3_2_2_network_have_their_published_rows(
    architecture: Architecture,
) -> None:
    plan = architecture({"linear": 3}, {"linear": 2}, {"linear": 2}, input=(3,))
    assert rows(torchsummary_text(plan, batch_size=5)) == [
        "Linear-1 [5, 3] 12",
        "Linear-2 [5, 2] 8",
        "Linear-3 [5, 2] 6",
    ]


def test_activations_that_are_layers_are_numbered_with_the_others(
    architecture: Architecture,
) -> None:
    layers = [{"linear": 3}, "sigmoid", {"linear": 2}, "relu", {"linear": 2}, "softmax"]
    text = torchsummary_text(architecture(*layers, input=(3,)), batch_size=5)
    assert rows(text) == [
        "Linear-1 [5, 3] 12",
        "Sigmoid-2 [5, 3] 0",
        "Linear-3 [5, 2] 8",
        "ReLU-4 [5, 2] 0",
        "Linear-5 [5, 2] 6",
        "Softmax-6 [5, 2] 0",
    ]
    assert "Total params: 26\n" in text


def test_the_text_is_what_the_package_prints_for_the_same_network_in_pytorch(
    architecture: Architecture, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = [{"conv": {"out_channels": 6, "kernel_size": 5}}, "batch_norm", "relu"]
    rest = [{"max_pool": 2}, "flatten", {"dropout": 0.5}, {"linear": 10}]
    found = torchsummary_text(architecture(*layers, *rest, input=(1, 10, 10)))
    front = (nn.Conv2d(1, 6, 5), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    network = nn.Sequential(*front, nn.Dropout(0.5), nn.Linear(54, 10))
    torchsummary.summary(network, (1, 10, 10), device="cpu")
    assert found == capsys.readouterr().out


def test_nothing_else_is_printed_and_no_random_number_drawn(
    architecture: Architecture, capsys: pytest.CaptureFixture[str]
) -> None:
    state = torch.get_rng_state()
    torchsummary_text(architecture({"linear": 2}, {"dropout": 0.5}, input=(3,)))
    assert torch.equal(torch.get_rng_state(), state)
    assert capsys.readouterr() == ("", "")


def test_where_the_package_breaks_is_a_fault(
    architecture: Architecture, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = architecture("relu", input=(3,))  # it needs at least one parameter
    with pytest.raises(FaultError, match="torchsummary cannot show this network"):
        torchsummary_text(plan)
    assert capsys.readouterr() == ("", "")


def test_what_breaks_in_our_own_build_is_no_fault_of_the_package(
    architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = architecture({"linear": 2}, input=(3,))

    def broken(*_: object) -> nn.Module:
        raise ZeroDivisionError

    monkeypatch.setattr(Linear, "build", broken)
    with pytest.raises(ZeroDivisionError):
        torchsummary_text(plan)
