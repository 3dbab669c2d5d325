from collections.abc import Callable

import torch
from torch import nn

from cnnctl.model.layer import Layer


def test_a_linear_layer_is_torchs_own(same: Callable[..., None]) -> None:
    same({"linear": 5}, (7,), nn.Linear(7, 5))
    same({"linear": {"out_features": 5, "bias": False}}, (7,), nn.Linear(7, 5, bias=False))


def test_channels_are_flattened_on_purpose_only(faults_of: Callable[..., list[str]]) -> None:
    assert faults_of("{layers: [linear: 5]}", (16, 5, 5)) == [
        "model.layers.0.linear: linear needs a vector, but gets 16 channels of 5x5\n"
        "    add flatten before linear"
    ]


def test_an_initial_bias_needs_a_bias(faults_of: Callable[..., list[str]]) -> None:
    text = "{layers: [linear: {out_features: 5, bias: false, bias_init: ones}]}"
    assert faults_of(text, (7,)) == [
        "model.layers.0: linear has a bias_init, but no bias\n    remove bias_init, or bias: false"
    ]


def test_a_scale_is_one_factor_for_each_channel() -> None:
    module = Layer.read({"layer_scale": 0.5}).build((2, 3, 1))
    samples = torch.randn(4, 2, 3, 1)
    assert torch.equal(module(samples), samples / 2)
    module.get_parameter("weight").data = torch.tensor([2.0, -1.0])
    assert torch.equal(module(samples)[:, 0], 2 * samples[:, 0])
    assert torch.equal(module(samples)[:, 1], -samples[:, 1])
    start = Layer.read("layer_scale").build((3,)).get_parameter("weight")
    assert start.tolist() == torch.full((3,), 1e-6).tolist()
