"""Totals held against other tools on random networks; by hand where those are known to be wrong."""

import re
from collections.abc import Callable
from contextlib import suppress
from math import prod
from typing import Any

import pytest
import torch
import torchinfo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cnnctl.errors import FaultError
from cnnctl.inspection import gather, torchsummary_text
from cnnctl.model.layer import Layer, Shape
from cnnctl.model.network import Model, NetworkPlan, build, plan

Architecture = Callable[..., NetworkPlan]

few = st.integers(1, 4)
flags = st.booleans()


def options(kind: str, **drawn: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(drawn).map(lambda chosen: {kind: chosen})


layers = st.one_of(
    options(
        "conv",
        out_channels=few.map(lambda n: 2 * n),
        kernel_size=few | st.tuples(few, few),
        stride=st.integers(1, 2),
        padding=st.integers(0, 2),
        groups=st.integers(1, 2),
        bias=flags,
    ),
    options("max_pool", kernel_size=st.integers(1, 3), stride=few),
    options("avg_pool", kernel_size=st.integers(1, 3), ceil_mode=flags),
    options("batch_norm", affine=flags),
    options("layer_norm", bias=flags),
    options("group_norm", num_groups=st.integers(1, 2)),
    options("linear", out_features=st.integers(1, 9), bias=flags),
    st.sampled_from(["relu", "tanh", "prelu", "gelu", "flatten", {"dropout": 0.3}]),
    st.sampled_from(["global_avg_pool", {"adaptive_avg_pool": 2}, {"zero_pad": 1}]),
)
inputs = st.tuples(st.sampled_from([1, 2, 4]), st.integers(4, 15), st.integers(4, 15)) | st.tuples(
    st.sampled_from([1, 2, 4]), st.integers(6, 20)
)


def fitting(items: list[Any], input: Shape) -> NetworkPlan:
    """A plan of those layers that fit what the ones before them give, after a convolution."""
    kept = [Layer.read({"conv": {"out_channels": 4, "kernel_size": 2}})]
    for item in [*items, "flatten", {"linear": 3}]:
        with suppress(FaultError):
            plan(Model(layers=[*kept, Layer.read(item)]), input=input, classes=3)
            kept.append(Layer.read(item))
    return plan(Model(layers=kept), input=input, classes=3)


def totals_of_torchsummary(network: NetworkPlan) -> tuple[int, int]:
    """Its parameters, and the trainable ones, as printed."""
    text = torchsummary_text(network)
    found = re.search(r"Total params: ([\d,]+)\nTrainable params: ([\d,]+)", text)
    assert found is not None
    total, trainable = (int(number.replace(",", "")) for number in found.groups())
    return total, trainable


def seen_by_torchinfo(module: nn.Module, input: Shape) -> torchinfo.ModelStatistics:
    return torchinfo.summary(module, input_size=(2, *input), device="cpu", verbose=0)


def products_of_torchinfo(seen: torchinfo.ModelStatistics) -> list[int]:
    """Multiply-adds of convolutions and matrix products for one sample, as it counts two.

    It counts a multiply-add for each bias at each place, too, which is an addition alone.
    """
    products = []
    for layer in seen.summary_list:
        if isinstance(layer.module, nn.Conv1d | nn.Conv2d | nn.Linear):
            biases = 0 if layer.module.bias is None else prod(layer.output_size)
            products.append((layer.macs - biases) // 2)
    return products


@given(items=st.lists(layers, min_size=1, max_size=10), input=inputs)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_totals_are_torchsummarys_and_torchinfos(items: list[Any], input: Shape) -> None:
    network = fitting(items, input)
    ours = gather(network, batch_size=1)
    theirs = seen_by_torchinfo(build(network, seed=0), input)
    assert (ours.parameters, ours.trainable) == totals_of_torchsummary(network)
    assert (ours.parameters, ours.trainable) == (theirs.total_params, theirs.trainable_params)
    products = [row.multiply_adds for row in ours.layers if row.multiply_adds]
    assert products == products_of_torchinfo(theirs)
    assert ours.multiply_adds == sum(products)


def test_a_shared_layer_counts_once(
    architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchsummary counts it twice."""
    network = architecture({"linear": 8}, {"linear": 8}, input=(8,))
    tied = nn.Linear(8, 8, device="meta")
    kind = type(network.layers[0].layer)
    monkeypatch.setattr(kind, "build", lambda *_: tied)
    ours = gather(network, batch_size=1)
    assert (ours.parameters, ours.multiply_adds) == (8 * 8 + 8, 2 * 64)
    monkeypatch.setattr(kind, "build", lambda *_: tied.to_empty(device="cpu"))
    assert totals_of_torchsummary(network)[0] == 2 * ours.parameters


class Scale(nn.Module):
    """A factor for each channel, which is no layer of its own."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.ones(channels))

    def forward(self, input: Tensor) -> Tensor:
        return input.mul(self.factors)


def test_a_bare_parameter_counts(
    architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchsummary knows weights and biases only."""
    network = architecture("identity", {"linear": 3}, input=(8,))
    monkeypatch.setattr(type(network.layers[0].layer), "build", lambda *_: Scale(8))
    assert gather(network, batch_size=1).parameters == 8 + 27
    assert totals_of_torchsummary(network)[0] == 27
    assert seen_by_torchinfo(build(network, seed=0), (8,)).total_params == 8 + 27


def test_a_frozen_bias_is_not_trainable(
    architecture: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchsummary takes a bias for trainable if the weight is."""
    network = architecture({"linear": 3}, input=(8,))
    ours = gather(network, batch_size=1, freeze=["*.bias"])
    assert (ours.parameters, ours.trainable) == (27, 24)
    frozen = nn.Linear(8, 3)
    frozen.bias.requires_grad_(False)
    monkeypatch.setattr(type(network.layers[0].layer), "build", lambda *_: frozen)
    assert totals_of_torchsummary(network) == (27, 27)
    assert seen_by_torchinfo(build(network, seed=0), (8,)).trainable_params == 24
