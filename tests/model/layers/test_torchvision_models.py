"""The networks of torchvision are layers with a classifier that fits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torchvision import models

from cnnctl.config.parsing import parse
from cnnctl.errors import FaultError
from cnnctl.experiment import complete
from cnnctl.model.freezing import classifier
from cnnctl.model.layer import Layer
from cnnctl.model.layers.torchvision_models import Torchvision, model_names
from cnnctl.model.network import meta_network


def test_every_network_is_known() -> None:
    assert len(model_names()) >= 80
    assert {"resnet18", "vgg16_bn", "vit_b_16", "regnet_y_400mf"} <= set(model_names())


FAMILIES = {
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "inception_v3"),
    *("maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf"),
    *("resnet18", "shufflenet_v2_x0_5", "squeezenet1_0", "swin_t", "vgg11", "vit_b_16"),
}
"""A small network of each; all of them only in CI."""


@pytest.mark.parametrize(
    "name",
    [n if n in FAMILIES else pytest.param(n, marks=pytest.mark.long) for n in model_names()],
)
def test_what_depends_on_the_classes_is_the_classifier(name: str) -> None:
    with torch.device("meta"):
        seven, nine = (
            Torchvision(model=name, outputs=outputs).build((3, 224, 224)) for outputs in (7, 9)
        )
    state, other = seven.state_dict(), nine.state_dict()
    assert {tensor.device.type for tensor in state.values()} == {"meta"}
    differing = [key for key in state if state[key].shape != other[key].shape]
    assert differing == classifier(seven)


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("resnet18", 64),
        ("googlenet", 64),
        ("inception_v3", 96),
        ("vgg11", 32),
        ("regnet_x_400mf", 32),
    ],
)
def test_a_network_gives_one_number_for_each_class(name: str, side: int) -> None:
    layer = Layer.read({"torchvision": name}).with_classes(5)
    with torch.device("meta"):
        output = layer.build((3, side, side))(torch.empty(2, 3, side, side))
    assert output.shape == (2, 5)


def test_it_is_torchvisions_own_network() -> None:
    torch.manual_seed(1)
    ours = Torchvision(model="squeezenet1_1", outputs=4).build((3, 64, 64)).state_dict()
    torch.manual_seed(1)
    theirs = models.squeezenet1_1(num_classes=4).state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 100), (784,)])
def test_only_images_of_three_channels_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(FaultError, match="3 channels") as caught:
        Torchvision(model="resnet18", outputs=10).build(shape)
    assert caught.value.faults[0].hint


@pytest.mark.parametrize("name", ["resnet19", "raft_large", "fcn_resnet50", "nothing"])
def test_other_names_are_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Layer.read({"torchvision": name})
    (detail,) = caught.value.errors()
    assert name in detail["msg"]
    assert detail["ctx"]["hint"]
    if name == "resnet19":
        assert "resnet1" in detail["ctx"]["hint"]


@pytest.mark.parametrize(
    ("model", "transforms"),
    [
        ("{torchvision: googlenet, weights: DEFAULT}", True),
        ("{torchvision: googlenet}", False),
        ("{torchvision: googlenet, weights: none}", False),
        ("{layers: [torchvision: {model: googlenet, transform_input: true}]}", True),
    ],
)
def test_inputs_are_transformed_for_the_published_weights(model: str, transforms: bool) -> None:
    data = "{name: fake, shape: [3, 64, 64]}"
    found = complete(parse(f"model: {model}\ndata: {data}", origin="x.yaml"), "x")
    first: Any = meta_network(found.plan)[0]
    assert first.transform_input is transforms


def test_other_networks_have_no_such_option() -> None:
    with pytest.raises(ValidationError, match="resnet18 has no input transform"):
        Torchvision(model="resnet18", transform_input=True)
