"""Blocks: how they are planned, named, joined, and what they compute."""

from typing import Any

import pytest
import torch
from torch import nn

from cnnctl.config.nodes import Place, from_plain
from cnnctl.config.validation import validate
from cnnctl.errors import FaultError
from cnnctl.model import network
from cnnctl.model.block import Block, Scope, plan_layer
from cnnctl.model.graph import following_activation
from cnnctl.model.layer import Layer
from cnnctl.model.network import Model, NetworkPlan
from tests.examples import BLOCKS, example


def plan_of(*layers: Any, input: tuple[int, ...] = (4, 8, 8), classes: int = 3) -> NetworkPlan:
    node = from_plain({"layers": list(layers)}, Place("x.yaml"))
    return network.plan(validate(Model, node), input=input, classes=classes)


def built(*layers: Any, input: tuple[int, ...] = (4, 8, 8)) -> nn.Module:
    return network.build(plan_of(*layers, input=input), seed=0).eval()


def fault_of(*layers: Any, input: tuple[int, ...] = (4, 8, 8)) -> str:
    with pytest.raises(FaultError) as raised:
        plan_of(*layers, input=input)
    return str(raised.value)


CONV = {"conv": {"out_channels": 4, "padding": 1, "bias": False}}
HALVED = {"conv": {"out_channels": 6, "padding": 1, "stride": 2, "bias": False}}
IMAGES = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))


def test_a_residual_adds_its_input() -> None:
    module = built({"residual": {"layers": [CONV], "activation": "relu"}})
    weight = module.state_dict()["residual1.conv1.weight"]
    expected = (IMAGES + nn.functional.conv2d(IMAGES, weight, padding=1)).relu()
    torch.testing.assert_close(module(IMAGES), expected)


def test_a_residual_projects_where_the_shapes_differ() -> None:
    module = built({"residual": [HALVED]})
    names = set(module.state_dict())
    assert {"residual1.shortcut.conv1.weight", "residual1.shortcut.batch_norm1.weight"} <= names
    assert module.state_dict()["residual1.shortcut.conv1.weight"].shape == (6, 4, 1, 1)
    assert module(IMAGES).shape == (2, 6, 4, 4)


def test_a_padded_shortcut_learns_nothing_and_adds_zeros() -> None:
    module = built({"residual": {"layers": [HALVED], "shortcut": "pad"}})
    assert list(module.state_dict()) == ["residual1.conv1.weight"]
    nn.init.zeros_(next(module.parameters()))
    out = module(IMAGES)
    torch.testing.assert_close(out[:, :4], IMAGES[:, :, ::2, ::2])
    assert not out[:, 4:].any()


def test_a_residual_of_vectors_projects_by_a_matrix() -> None:
    plan = plan_of({"residual": [{"linear": 7}]}, input=(5,))
    assert plan.output == (7,)
    assert plan.layers[0].branches[1].layers[0].layer.kind == "linear"


def test_a_signal_has_residuals_too() -> None:
    plan = plan_of({"residual": [HALVED]}, input=(4, 9))
    assert plan.output == (6, 5)


@pytest.mark.parametrize(
    ("join", "expected"),
    [
        ("concatenate", lambda a, b: torch.cat([a, b], 1)),
        ("add", torch.add),
        ("multiply", torch.mul),
        ("mean", lambda a, b: (a + b) / 2),
    ],
)
def test_branches_are_joined(join: str, expected: Any) -> None:
    module = built({"branches": {"ways": [["relu"], []], "join": join}})
    torch.testing.assert_close(module(IMAGES), expected(IMAGES.relu(), IMAGES))


def test_squeeze_and_excitation_stretches_over_the_image() -> None:
    squeeze = [{"adaptive_avg_pool": 1}, "sigmoid"]
    branches = {"pass_on": [], "squeeze": squeeze}
    module = built({"branches": {"ways": branches, "join": "multiply"}})
    factor = IMAGES.mean(dim=(2, 3), keepdim=True).sigmoid()
    torch.testing.assert_close(module(IMAGES), IMAGES * factor)


def test_dense_steps_see_all_before_them() -> None:
    grow = {"conv": {"out_channels": 2, "kernel_size": 1, "bias": False}}
    plan = plan_of({"dense": {"times": 3, "layers": [grow]}})
    assert [branch.input[0] for branch in plan.layers[0].branches] == [4, 6, 8]
    assert plan.output == (10, 8, 8)
    module = network.build(plan, seed=0)
    first = nn.functional.conv2d(IMAGES, module.state_dict()["dense1.1.conv1.weight"])
    torch.testing.assert_close(module(IMAGES)[:, 4:6], first)


def test_repeated_layers_have_weights_of_their_own() -> None:
    module = built({"repeat": {"times": 2, "layers": [CONV, "relu"]}})
    first, second = (module.state_dict()[f"repeat1.{n}.conv1.weight"] for n in (1, 2))
    assert not torch.equal(first, second)


def test_names_are_those_of_the_state_dict() -> None:
    layers = [{"sequence": {"name": "stem", "layers": [CONV]}}, {"residual": [CONV, "batch_norm"]}]
    plan = plan_of(*layers)
    module = network.build(plan, seed=0)
    for planned in plan.leaves():
        assert isinstance(module.get_submodule(planned.name), nn.Module)
    assert "stem.conv1" in [planned.name for planned in plan.leaves()]


def test_weights_start_for_the_activation_that_they_meet() -> None:
    """He's bound before a rectifier, also where the rectifier follows the block."""
    inside = plan_of({"residual": {"layers": [CONV], "activation": "relu"}})
    behind = plan_of({"sequence": [CONV]}, "tanh")
    for plan, expected in ((inside, "relu"), (behind, "tanh")):
        [found] = [
            following_activation(rest)
            for planned, rest in plan.graph.with_followers()
            if planned.layer.kind == "conv"
        ]
        assert found == expected


def test_classes_are_filled_in_at_every_depth() -> None:
    inner = {"linear": "classes"}
    plan = plan_of("flatten", {"sequence": [{"branches": [[inner], [inner]]}]})
    assert plan.output == (6,)


def test_a_block_is_built_like_any_layer() -> None:
    module = Layer.read({"residual": [CONV]}).build((4, 8, 8))
    assert module(IMAGES).shape == IMAGES.shape


def test_blocks_nest_without_losing_their_shapes() -> None:
    layer: Any = CONV
    for _ in range(10):
        layer = {"residual": [{"branches": {"ways": [[layer], []], "join": "add"}}]}
    plan = plan_of(layer)
    assert plan.output == (4, 8, 8)
    assert network.build(plan, seed=0)(IMAGES).shape == IMAGES.shape


def test_ways_that_cannot_be_joined_are_reported_with_their_shapes() -> None:
    told = fault_of({"branches": [[HALVED], []]})
    assert "model.layers.0.branches.ways" in told
    assert "branch1 outputs 6 channels of 4x4, branch2 outputs 4 channels of 8x8" in told


def test_a_shortcut_that_cannot_fit_is_reported_with_both_shapes() -> None:
    told = fault_of({"residual": {"layers": [HALVED], "shortcut": "identity"}})
    assert "the shortcut outputs 4 channels of 8x8, but the layers 6 channels of 4x4" in told
    valid = {"conv": {"out_channels": 4}}
    assert "no stride turns 4 channels of 8x8 into 4 channels of 6x6" in fault_of(
        {"residual": [valid]}
    )


def test_a_dense_step_keeps_the_size() -> None:
    told = fault_of({"dense": {"layers": [HALVED]}})
    assert "outputs 6 channels of 4x4, which cannot be joined with 4 channels of 8x8" in told


def test_a_fault_deep_inside_has_its_path() -> None:
    told = fault_of(
        {"residual": [{"branches": [[{"conv": {"out_channels": 2, "groups": 3}}], []]}]}
    )
    assert "model.layers.0.residual.layers.0.branches.ways.0.0.conv.groups" in told


def test_a_network_without_end_is_refused() -> None:
    layer: Any = "relu"
    for _ in range(4):
        layer = {"repeat": {"times": 1000, "layers": [layer]}}
    assert "exceed the limit of 10,000" in fault_of(layer)


@pytest.mark.parametrize("kind", BLOCKS)
def test_every_block_counts_what_is_in_it(kind: str) -> None:
    layer = Layer.read(example(kind)).with_classes(3)
    assert isinstance(layer, Block)
    planned = plan_layer(layer, (4, 8, 8), Scope("", ()), name="it")
    assert layer.layer_count() == sum(1 for _ in planned.leaves())
