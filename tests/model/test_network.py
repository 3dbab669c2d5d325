from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from cnnctl.inspection import gather
from cnnctl.model.graph import following_activation
from cnnctl.model.network import NetworkPlan, build, meta_network, needing_company

PlanOf = Callable[..., NetworkPlan]
FaultsOf = Callable[..., list[str]]

LENET = """{layers: [
    {conv: {out_channels: 6, kernel_size: 5}}, tanh, avg_pool: 2,
    {conv: {out_channels: 16, kernel_size: 5}}, tanh, avg_pool: 2,
    flatten, linear: 120, tanh, linear: 84, tanh, linear: classes]}"""


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_lenet_5_has_its_published_shapes_and_parameters(plan_of: PlanOf) -> None:
    plan = plan_of(LENET, (1, 32, 32))
    shapes = {planned.name: planned.output for planned in plan.layers}
    assert shapes["conv1"] == (6, 28, 28)
    assert shapes["avg_pool1"] == (6, 14, 14)
    assert shapes["conv2"] == (16, 10, 10)
    assert shapes["flatten1"] == (400,)
    assert plan.output == (10,)
    assert count(build(plan, seed=0)) == 61_706


def test_a_network_of_3_4_2_has_26_parameters_and_20_without_biases(plan_of: PlanOf) -> None:
    text = "{layers: [linear: 4, sigmoid, linear: 2, sigmoid]}"
    assert count(build(plan_of(text, (3,)), seed=0)) == 26
    bare = "linear: {out_features: 4, bias: false}, linear: {out_features: 2, bias: false}"
    assert count(build(plan_of(f"{{layers: [{bare}]}}", (3,)), seed=0)) == 4 * 3 + 2 * 4


def sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = 1 / (1 + np.exp(-z))
    return result


def test_forward_and_gradients_of_3_4_2_follow_the_formulas(plan_of: PlanOf) -> None:
    network = build(plan_of("{layers: [linear: 4, sigmoid, linear: 2, sigmoid]}", (3,)), seed=5)
    w1, b1, w2, b2 = (p.detach().double().numpy() for p in network.parameters())
    x, t = np.array([1.0, 2.0, 3.0]), np.array([0.8, 0.2])

    a = sigmoid(w1 @ x + b1)
    y = sigmoid(w2 @ a + b2)
    delta_out = (y - t) * y * (1 - y)
    delta_hidden = (w2.T @ delta_out) * a * (1 - a)
    expected = [np.outer(delta_hidden, x), delta_hidden, np.outer(delta_out, a), delta_out]

    output = network(torch.tensor([[1.0, 2.0, 3.0]]))
    (((output - torch.tensor([[0.8, 0.2]])) ** 2).sum() / 2).backward()
    np.testing.assert_allclose(output.detach().numpy()[0], y, rtol=1e-5)
    for parameter, gradient in zip(network.parameters(), expected, strict=True):
        assert parameter.grad is not None
        np.testing.assert_allclose(parameter.grad.numpy(), gradient, rtol=1e-4, atol=1e-8)


THREE_THREE_TWO_TWO = """{{layers: [
    linear: {{out_features: {0}, init: xavier_normal}}, sigmoid,
    linear: {{out_features: {1}, init: kaiming_normal}}, relu, linear: 2, softmax]}}"""


def test_a_network_of_3_3_2_2_has_12_8_and_6_parameters(plan_of: PlanOf) -> None:
    network = build(plan_of(THREE_THREE_TWO_TWO.format(3, 2), (3,)), seed=66)
    assert [count(network.get_submodule(f"linear{n}")) for n in (1, 2, 3)] == [12, 8, 6]
    assert [*network.state_dict()] == [
        f"linear{n}.{parameter}" for n in (1, 2, 3) for parameter in ("weight", "bias")
    ]
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert network(torch.rand(5, 3)).shape == (5, 2)


def test_each_layer_starts_as_it_says_and_biases_at_zero(plan_of: PlanOf) -> None:
    network = build(plan_of(THREE_THREE_TWO_TWO.format(500, 600), (400,)), seed=66)
    weights = dict(network.named_parameters())
    assert weights["linear1.weight"].var().item() == pytest.approx(2 / (400 + 500), rel=0.02)
    assert weights["linear2.weight"].var().item() == pytest.approx(2 / 500, rel=0.02)
    assert all(not weights[f"linear{n}.bias"].any() for n in (1, 2, 3))


def test_the_models_initializer_starts_conv_and_linear_and_nothing_else(plan_of: PlanOf) -> None:
    text = """{layers: [conv: 4, batch_norm, prelu, flatten, {linear: {out_features: 3, init: ones,
        bias_init: {name: constant, val: 5}}}], init: {name: constant, val: 2}}"""
    weights = dict(build(plan_of(text), seed=0).named_parameters())
    values = {name: sorted({*weight.flatten().tolist()}) for name, weight in weights.items()}
    assert values == {
        "conv1.weight": [2.0],
        "conv1.bias": [0.0],
        "batch_norm1.weight": [1.0],
        "batch_norm1.bias": [0.0],
        "prelu1.weight": [0.25],
        "linear1.weight": [1.0],
        "linear1.bias": [5.0],
    }


def test_a_layer_is_started_for_the_activation_behind_it(plan_of: PlanOf) -> None:
    text = "{layers: [conv: 4, batch_norm, max_pool, relu, flatten, linear: 9, selu, linear: 2]}"
    layers = plan_of(text).layers
    follows = {
        planned.name: following_activation(layers[index + 1 :])
        for index, planned in enumerate(layers)
        if planned.name in ("conv1", "linear1", "linear2")
    }
    assert follows == {"conv1": "relu", "linear1": "selu", "linear2": "linear"}


def test_the_same_seed_means_the_same_weights(plan_of: PlanOf) -> None:
    plan = plan_of(LENET, (1, 32, 32))
    first, again, other = (build(plan, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_the_global_random_state_is_left_alone(plan_of: PlanOf) -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    plan = plan_of("{layers: [conv: 4, dropout, flatten, linear: 5]}")
    build(plan, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_outline_has_every_shape_and_no_numbers(plan_of: PlanOf) -> None:
    plan = plan_of(LENET, (1, 32, 32))
    network, sketch = build(plan, seed=0), meta_network(plan)
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    assert {name: tensor.shape for name, tensor in sketch.state_dict().items()} == shapes
    assert all(tensor.is_meta for tensor in sketch.state_dict().values())


def test_a_plan_of_a_network_that_no_memory_holds(plan_of: PlanOf) -> None:
    plan = plan_of("{layers: [flatten, linear: 10000, linear: 99000000, linear: classes]}")
    assert plan.output == (10,)


def test_layers_are_named_by_kind_and_number_or_by_themselves(plan_of: PlanOf) -> None:
    text = "{layers: [conv: 4, relu, {conv: {out_channels: 4, name: stem}}, conv: 4, relu]}"
    names = [planned.name for planned in plan_of(text).layers]
    assert names == ["conv1", "relu1", "stem", "conv3", "relu2"]


def test_two_layers_of_one_name_are_each_pointed_at(faults_of: FaultsOf) -> None:
    text = "{layers: [{relu: {name: stem}}, tanh: {name: stem}, {elu: {name: tanh2}}, tanh]}"
    assert faults_of(text) == [
        f"model.layers.{place}.name: another layer is already named {name}\n"
        "    give each layer its own name"
        for place, name in (("0.relu", "stem"), ("1.tanh", "stem"), ("2.elu", "tanh2"))
    ]


def test_all_initializers_that_do_not_fit_are_reported_together(faults_of: FaultsOf) -> None:
    text = """{layers: [conv: {out_channels: 4, bias_init: orthogonal}, flatten,
        linear: {out_features: 3, init: dirac}, linear: 2], init: {name: dirac, groups: 3}}"""
    assert [fault.split(":")[0] for fault in faults_of(text)] == [
        "model.init.groups",
        "model.layers.0.conv.bias_init",
        "model.layers.2.linear.init",
        "model.init",
    ]


def test_a_network_has_a_layer(faults_of: FaultsOf) -> None:
    assert faults_of("{layers: []}") == [
        "model.layers: [] is too short\n    write a list of at least 1 item"
    ]


@pytest.mark.parametrize(
    ("text", "input", "paths"),
    [
        ("{layers: [linear: 4, batch_norm, relu]}", (3,), ["batch_norm"]),
        ("{layers: [conv: 4, batch_norm, relu]}", (1, 8, 8), []),
        (
            "{layers: [conv: {out_channels: 4, kernel_size: 8}, batch_norm]}",
            (1, 8, 8),
            ["batch_norm"],
        ),
        ("{layers: [linear: 4, layer_norm, relu]}", (3,), []),
        ("{layers: [linear: 4, batch_norm: {track_running_stats: false}]}", (3,), ["batch_norm"]),
    ],
)
def test_layers_that_cannot_train_on_one_sample_are_found(
    text: str, input: tuple[int, ...], paths: list[str], plan_of: PlanOf
) -> None:
    faults = needing_company(plan_of(text, input))
    assert [fault.path for fault in faults] == [("model", "layers", 1, kind) for kind in paths]
    for fault in faults:
        assert fault.message == "batch_norm cannot train on a batch of one sample"


def test_the_meta_network_is_assembled_once_and_a_summary_leaves_it_as_it_is(
    plan_of: Callable[..., NetworkPlan],
) -> None:
    plan = plan_of("{layers: [conv: 4, batch_norm: {momentum: null}, flatten, linear: classes]}")
    network = meta_network(plan)
    gather(plan, batch_size=2, freeze=["conv1.*"])
    assert needing_company(plan) == []
    assert meta_network(plan) is network
    assert all(weight.requires_grad for weight in network.parameters())
    assert network.get_submodule("batch_norm1").momentum is None
