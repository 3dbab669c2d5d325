from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models.convnext import LayerNorm2d

from cnnctl.model.layer import Layer, Shape

CASES: list[tuple[Any, Shape, nn.Module]] = [
    ("batch_norm", (6,), nn.BatchNorm1d(6)),
    ("batch_norm", (6, 5), nn.BatchNorm1d(6)),
    ("batch_norm", (6, 5, 4), nn.BatchNorm2d(6)),
    (
        {"batch_norm": {"eps": 0.1, "momentum": None, "affine": False}},
        (6, 5, 4),
        nn.BatchNorm2d(6, 0.1, None, False),
    ),
    (
        {"batch_norm": {"momentum": 0.5, "track_running_stats": False}},
        (6, 5, 4),
        nn.BatchNorm2d(6, momentum=0.5, track_running_stats=False),
    ),
    ("layer_norm", (6,), nn.LayerNorm(6)),
    ("layer_norm", (6, 5), nn.LayerNorm([6, 5])),
    (
        {"layer_norm": {"eps": 0.1, "bias": False}},
        (6, 5, 4),
        nn.LayerNorm([6, 5, 4], eps=0.1, bias=False),
    ),
    (
        {"layer_norm": {"elementwise_affine": False}},
        (6, 5, 4),
        nn.LayerNorm([6, 5, 4], elementwise_affine=False),
    ),
    ("rms_norm", (6,), nn.RMSNorm(6)),
    (
        {"rms_norm": {"eps": 0.1, "elementwise_affine": False}},
        (6, 5),
        nn.RMSNorm([6, 5], 0.1, False),
    ),
    ({"group_norm": 2}, (6,), nn.GroupNorm(2, 6)),
    ({"group_norm": 2}, (6, 5), nn.GroupNorm(2, 6)),
    (
        {"group_norm": {"num_groups": 3, "eps": 0.1, "affine": False}},
        (6, 5, 4),
        nn.GroupNorm(3, 6, 0.1, False),
    ),
    ("instance_norm", (6, 5), nn.InstanceNorm1d(6)),
    ("instance_norm", (6, 5, 4), nn.InstanceNorm2d(6)),
    (
        {"instance_norm": {"eps": 0.1, "affine": True, "track_running_stats": True}},
        (6, 5, 4),
        nn.InstanceNorm2d(6, 0.1, affine=True, track_running_stats=True),
    ),
    ({"local_response_norm": 5}, (6, 5, 4), nn.LocalResponseNorm(5)),
    (
        {"local_response_norm": {"size": 2, "alpha": 1, "beta": 0.5, "k": 2}},
        (6, 5),
        nn.LocalResponseNorm(2, 1.0, 0.5, 2.0),
    ),
]


@pytest.mark.parametrize(("item", "input", "expected"), CASES, ids=str)
def test_a_normalisation_is_torchs_own(
    item: Any, input: Shape, expected: nn.Module, same: Callable[..., None]
) -> None:
    same(item, input, expected)


def test_over_channels_is_the_norm_of_convnext() -> None:
    """torchvision's LayerNorm2d, whose source is https://github.com/facebookresearch/ConvNeXt"""
    theirs = LayerNorm2d(6, eps=1e-6)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter)
    layer = Layer.read({"layer_norm": {"over": "channels", "eps": 1e-6}})
    ours = layer.build((6, 5, 4))
    ours.load_state_dict(theirs.state_dict())
    samples = torch.randn(3, 6, 5, 4)
    torch.testing.assert_close(ours(samples), theirs(samples), rtol=0, atol=0)
    vector = layer.build((6,))
    vector.load_state_dict(theirs.state_dict())
    expected = nn.functional.layer_norm(samples[..., 0, 0], (6,), theirs.weight, theirs.bias, 1e-6)
    torch.testing.assert_close(vector(samples[..., 0, 0]), expected)


def test_groups_divide_the_channels(faults_of: Callable[..., list[str]]) -> None:
    assert faults_of("{layers: [group_norm: 4]}", (6, 5, 5)) == [
        "model.layers.0.group_norm.num_groups: 4 does not divide 6 channels of 5x5\n"
        "    use a divisor of 6"
    ]


def test_an_instance_of_one_pixel_has_no_spread(faults_of: Callable[..., list[str]]) -> None:
    assert faults_of("{layers: [instance_norm]}", (6, 1, 1)) == [
        "model.layers.0.instance_norm: "
        "cannot normalise a single value per channel, as in 6 channels of 1x1\n"
        "    use layer_norm, or put it before the pooling"
    ]


@pytest.mark.parametrize("item", ["instance_norm", "local_response_norm: 5"])
def test_a_vector_has_no_pixels(item: str, faults_of: Callable[..., list[str]]) -> None:
    (fault,) = faults_of(f"{{layers: [{item}]}}", (6,))
    assert "but gets a vector of 6" in fault
