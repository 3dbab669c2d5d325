from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cnnctl.model.layer import Layer, Shape

CASES: list[tuple[Any, Shape, nn.Module]] = [
    ("dropout", (40,), nn.Dropout()),
    ({"dropout": 0.2}, (8, 5, 5), nn.Dropout(0.2)),
    ("channel_dropout", (8, 5, 5), nn.Dropout2d()),
    ({"channel_dropout": 0.2}, (8, 5), nn.Dropout1d(0.2)),
    ("alpha_dropout", (40,), nn.AlphaDropout()),
    ({"alpha_dropout": 0.2}, (8, 5), nn.AlphaDropout(0.2)),
    ({"feature_alpha_dropout": 0.2}, (8, 5, 5), nn.FeatureAlphaDropout(0.2)),
]


@pytest.mark.parametrize(("item", "input", "expected"), CASES, ids=str)
def test_dropout_is_torchs_own(
    item: Any, input: Shape, expected: nn.Module, same: Callable[..., None]
) -> None:
    same(item, input, expected)


@pytest.mark.parametrize("input", [(50, 3), (50, 3, 3)], ids=str)
def test_channel_dropout_drops_whole_channels(input: Shape) -> None:
    output = Layer.read("channel_dropout").build(input)(torch.ones(2, *input)).flatten(2)
    assert torch.equal(output.amin(2), output.amax(2))
    assert 0 < output.mean() < 2


@pytest.mark.parametrize("chance", ["-0.1", "1.5", ".nan", "half"])
def test_a_chance_is_from_0_to_1(chance: str, faults_of: Callable[..., list[str]]) -> None:
    (fault,) = faults_of(f"{{layers: [dropout: {chance}]}}")
    assert fault.startswith("model.layers.0.dropout: ")


@pytest.mark.parametrize("kind", ["channel_dropout", "feature_alpha_dropout"])
def test_a_vector_has_no_channels_to_drop(kind: str, faults_of: Callable[..., list[str]]) -> None:
    (fault,) = faults_of(f"{{layers: [{kind}]}}", (5,))
    assert "but gets a vector of 5" in fault
