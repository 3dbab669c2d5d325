from collections.abc import Callable

from torch import nn


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
        "model.layers.0: linear has a bias_init, but no bias\n    drop bias_init, or bias: false"
    ]
