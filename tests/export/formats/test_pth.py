"""Weights by torchvision's names, for networks that torchvision has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torchvision import models

from cnnctl.export.original import open_original
from cnnctl.export.twins import find_twin
from cnnctl.model.layers.torchvision_models import model_names
from cnnctl.model.zoo import Network
from cnnctl.model.zoo.costs import costs_of
from tests.conftest import TINY
from tests.export.running import checked, opened, reduced
from tests.export.test_checking import HEADS

TWINS = sorted({*Network.kinds} & {*model_names()})
STRIDES = """\
data: {name: fake, shape: [3, 64, 64], classes: 7, samples: 20, batch_size: 8}
model:
  layers:
    - conv: {out_channels: 64, kernel_size: 11, stride: 2, padding: 2}
    - relu
    - max_pool: {kernel_size: 3, stride: 2}
    - conv: {out_channels: 192, kernel_size: 5, padding: 2}
    - relu
    - conv: {out_channels: 384, kernel_size: 3, padding: 1}
    - relu
    - conv: {out_channels: 256, kernel_size: 3, padding: 1}
    - relu
    - conv: {out_channels: 256, kernel_size: 3, padding: 1}
    - relu
    - adaptive_avg_pool: 6
    - flatten
    - linear: 4096
    - linear: 4096
    - linear: classes
"""
"""The layers of AlexNet, but for strides and activations."""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TINY, "torchvision has no network with these layers"),
        (HEADS, "it has several heads"),
        pytest.param(
            STRIDES,
            "it has the tensors of torchvision's alexnet, but computes something else",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_network_that_torchvision_lacks_is_refused(
    text: str, reason: str, tmp_path: Path
) -> None:
    found = find_twin(opened(tmp_path, text))
    assert isinstance(found, str)
    assert found.startswith(reason)


@pytest.mark.long
def test_torchvision_loads_its_own_names(tmp_path: Path) -> None:
    original = open_original(Path("resnet18"), [*reduced("resnet18"), "data.classes=7"])
    assert checked(original, "pth", tmp_path).is_within
    network = models.resnet18(num_classes=7).eval()
    tensors = torch.load(tmp_path / "x.pth", weights_only=True)
    assert [*tensors] == [*network.state_dict()]
    network.load_state_dict(tensors)
    inputs = original.random(2, raw=True)
    assert torch.allclose(network(inputs), original.network(inputs), atol=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in TWINS if costs_of(name).parameters < 1e8])
def test_every_network_that_torchvision_has_is_found(name: str, tmp_path: Path) -> None:
    original = open_original(Path(name), [*reduced(name), "data.classes=7"])
    twin = find_twin(original)
    assert not isinstance(twin, str), twin
    assert twin.name == name


@pytest.mark.long
@pytest.mark.parametrize("name", ["resnet18", "regnet_y_400mf", "googlenet"])
def test_a_layer_of_torchvision_is_its_own_twin(name: str, tmp_path: Path) -> None:
    more = ", transform_input: true" if name == "googlenet" else ""
    layers = f"[{{torchvision: {{model: {name}{more}}}}}]"
    data = "{name: fake, shape: [3, 64, 64], classes: 7, samples: 20, batch_size: 8}"
    original = opened(tmp_path, f"data: {data}\nmodel: {{layers: {layers}}}\n")
    assert checked(original, "pth", tmp_path).is_within
