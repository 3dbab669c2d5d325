"""Heads over a trunk and auxiliary classifiers, as modules."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

from cnnctl.config.nodes import Place, from_plain
from cnnctl.config.parsing import parse
from cnnctl.config.validation import validate
from cnnctl.model.expansion import expand
from cnnctl.model.freezing import classifier
from cnnctl.model.network import Model, NetworkPlan, build, plan

HEADS = """{
  layers: [flatten, linear: 6, relu],
  heads: {digit: {layers: [linear: classes]}, parity: {layers: [relu, linear: classes]}},
}"""
ASIDE = """{layers: [
  conv: {out_channels: 4, padding: 1},
  auxiliary: [global_avg_pool, linear: classes],
  tanh,
  residual: [auxiliary: {name: inner, layers: [flatten, linear: classes]}, relu],
  flatten,
  linear: classes,
]}"""
IMAGES = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def planned(read: Callable[..., NetworkPlan], text: str) -> nn.Module:
    return build(read(text), seed=1)


def test_what_heads_give_stands_side_by_side() -> None:
    model = validate(Model, parse(HEADS, origin="x"))
    counts = {"digit": 10, "parity": 2}
    network = build(plan(model, input=(1, 8, 8), classes=10, targets=counts), seed=0)
    state = network.state_dict()
    assert {name: tuple(state[f"heads.{name}.linear1.weight"].shape) for name in counts} == {
        "digit": (10, 6),
        "parity": (2, 6),
    }
    shared = (IMAGES.flatten(1) @ state["linear1.weight"].T + state["linear1.bias"]).relu()
    for name, columns in (("digit", slice(0, 10)), ("parity", slice(10, 12))):
        weight, bias = (state[f"heads.{name}.linear1.{part}"] for part in ("weight", "bias"))
        torch.testing.assert_close(network(IMAGES)[:, columns], shared @ weight.T + bias)
    assert {name.partition(".")[0] for name in classifier(network)} == {"heads"}


@pytest.mark.parametrize(
    ("body", "features"),
    [
        ({"zoo": "lenet5"}, 84),
        ({"zoo": "resnet9", "width": 4}, 32),
        ({"zoo": "squeezenet1_1"}, 10),  # whose classifier is no linear layer
        ({"torchvision": "resnet18"}, 1000),  # as their weights are published
    ],
)
def test_heads_replace_the_classifier(body: dict[str, Any], features: int) -> None:
    heads = {name: {"layers": [{"linear": "classes"}]} for name in ("digit", "parity")}
    model = expand(from_plain({"model": {**body, "heads": heads}}, Place("x"))).child("model")
    assert model
    counts = {"digit": 10, "parity": 2}
    planned = plan(validate(Model, model), input=(3, 64, 64), classes=10, targets=counts)
    assert planned.layers[-1].input == (features,)
    assert planned.output == (12,)


def test_auxiliary_classifiers_speak_in_training_only(plan_of: Callable[..., NetworkPlan]) -> None:
    network = planned(plan_of, ASIDE)
    without = ASIDE.replace("auxiliary: [global_avg_pool, linear: classes],", "").replace(
        "auxiliary: {name: inner, layers: [flatten, linear: classes]}, ", ""
    )
    plain = planned(plan_of, without)
    plain.load_state_dict({name: network.state_dict()[name] for name in plain.state_dict()})
    assert torch.equal(network.eval()(IMAGES), plain.eval()(IMAGES))

    outputs = network.train()(IMAGES)
    state = network.state_dict()
    assert outputs.shape == (3, 30)
    assert torch.equal(outputs[:, :10], plain.train()(IMAGES))
    convolved = nn.functional.conv2d(IMAGES, state["conv1.weight"], state["conv1.bias"], padding=1)
    first = nn.functional.linear(
        convolved.mean((2, 3)), state["auxiliary1.linear1.weight"], state["auxiliary1.linear1.bias"]
    )
    torch.testing.assert_close(outputs[:, 10:20], first)
    inner = nn.functional.linear(
        convolved.tanh().flatten(1),
        state["residual1.inner.linear1.weight"],
        state["residual1.inner.linear1.bias"],
    )
    torch.testing.assert_close(outputs[:, 20:], inner)


def test_a_network_with_auxiliary_classifiers_can_be_copied_between_steps(
    plan_of: Callable[..., NetworkPlan],
) -> None:
    network = planned(plan_of, ASIDE).train()
    network(IMAGES).sum().backward()
    assert torch.equal(deepcopy(network)(IMAGES), network(IMAGES))


def test_layers_before_and_behind_an_auxiliary_classifier_follow_each_other(
    plan_of: Callable[..., NetworkPlan],
) -> None:
    plan = plan_of(ASIDE)
    followers = {
        planned.name: [follower.name for follower in behind]
        for planned, behind in plan.graph.with_followers()
    }
    assert followers["conv1"][0] == "tanh1"
    assert followers["auxiliary1.linear1"] == []
    names = [(planned.name, after.name) for planned, after in plan.graph.neighbours()]
    assert {("conv1", "tanh1"), ("flatten1", "linear1")} <= set(names)
