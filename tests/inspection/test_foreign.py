"""Any module is summarised from a copy; golden numbers are published or computed by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from cnnctl.errors import FaultError
from cnnctl.inspection.facts import Summary
from cnnctl.inspection.foreign import gather_module


def gathered(module: nn.Module, *inputs: tuple[int, ...], dtype: Any = torch.float32) -> Summary:
    return gather_module(module, inputs, dtype=dtype, batch_size=1)


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [  # millions, and thousands of millions, of torchvision's table of its models
        ("squeezenet1_1", 1_235_496, 0.35),
        pytest.param("resnet18", 11_689_512, 1.81, marks=pytest.mark.long),
        pytest.param("densenet121", 7_978_856, 2.83, marks=pytest.mark.long),
        pytest.param("mobilenet_v3_small", 2_542_856, 0.06, marks=pytest.mark.long),
        pytest.param("vit_b_16", 86_567_656, 17.56, marks=pytest.mark.long),
        pytest.param("swin_t", 28_288_354, 4.49, marks=pytest.mark.long),
        pytest.param("googlenet", 13_004_888, 1.50, marks=pytest.mark.long),
    ],
)
def test_published_networks_have_their_published_costs(
    name: str, parameters: int, multiply_adds: float
) -> None:
    with torch.device("meta"):
        module = torchvision.models.get_model(name)
    found = gathered(module, (3, 224, 224))
    assert found.parameters == sum(each.numel() for each in module.parameters()) == parameters
    assert found.multiply_adds / 1e9 == pytest.approx(multiply_adds, abs=0.006)


class Shared(nn.Module):
    """Calls one layer twice, ties a weight, holds a parameter and multiplies by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(2, 3)
        self.again = nn.Linear(4, 4)
        self.body = nn.Sequential(self.again, nn.ReLU())
        self.tied = nn.Linear(4, 4, bias=False)
        self.tied.weight = self.again.weight
        self.token = nn.Parameter(torch.zeros(4))
        self.matrix = nn.Parameter(torch.zeros(4, 7))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.again(self.body(inputs)) + self.token
        output: Tensor = self.tied(hidden) @ self.matrix
        return output


def test_what_is_shared_counts_once_and_what_is_computed_counts_as_often_as_it_is() -> None:
    found = gathered(Shared(), (4,))
    rows = {row.name: row for row in found.rows}
    assert list(rows) == ["body", "body.0", "body.1", "tied", "unused", "rest"]
    assert (rows["body"].parameters, rows["body"].multiply_adds) == (20, 32)
    assert (rows["body"].depth, rows["body.0"].depth, rows["body.0"].block) == (0, 1, "body")
    assert (rows["tied"].parameters, rows["tied"].multiply_adds) == (0, 16)
    assert (rows["unused"].parameters, rows["unused"].output) == (9, ())
    assert (rows["rest"].parameters, rows["rest"].multiply_adds) == (4 + 28, 28)
    assert found.parameters == 20 + 9 + 32
    assert found.is_counted


class Touchy(nn.Module):
    """Whatever a summary might change: statistics, random state, hooks, its own counter."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
        self.calls = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        output: Tensor = self.layers(inputs) * torch.rand(())
        return output


def test_the_module_and_the_random_state_stay_as_they_were() -> None:
    module, seen = Touchy(), list[object]()
    module.layers[2].eval()
    module.register_forward_hook(lambda *told: seen.append(told))
    weights = {name: each.clone() for name, each in module.state_dict().items()}
    state = torch.get_rng_state()
    gathered(module, (3, 8, 8))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(each, weights[name]) for name, each in module.state_dict().items())
    assert (module.calls, module.training, module.layers[2].training) == (0, True, False)
    assert not seen
    assert all(each.grad is None for each in module.parameters())


class OnlyOnData(nn.Module):
    """Cannot run without data, and draws a random number."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        output: Tensor = self.layer(inputs * int(torch.rand(()).item() < 2))
        return output


def test_a_module_that_needs_data_is_run_on_zeros() -> None:
    module, state = OnlyOnData(), torch.get_rng_state()
    found = gathered(module, (4,))
    assert torch.equal(torch.get_rng_state(), state)
    assert (found.parameters, found.multiply_adds) == (10, 8)


def test_recurrent_attention_and_several_inputs_are_one_layer_each() -> None:
    lstm = gathered(nn.LSTM(3, 5, batch_first=True), (7, 3))
    assert (lstm.parameters, lstm.rows[0].output) == (4 * 5 * (3 + 5 + 2), (7, 5))
    bilinear = gathered(nn.Bilinear(3, 4, 5), (3,), (4,))
    assert bilinear.parameters == 65
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    found = gathered(encoder, (6, 8))
    assert found.parameters == sum(each.numel() for each in encoder.parameters())
    frozen = encoder.requires_grad_(False)
    assert gathered(frozen, (6, 8)).trainable == 0


def test_inputs_that_do_not_fit_are_a_fault() -> None:
    with pytest.raises(FaultError, match=r"Linear does not take inputs of \(N, 5\): ") as caught:
        gathered(nn.Linear(4, 2), (5,))
    assert "without the batch" in caught.value.faults[0].hint
