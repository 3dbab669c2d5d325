"""Which tensor of a network is made of which."""

from collections.abc import Callable

import pytest

from cnnctl.model.graph import Graph, graph_of
from cnnctl.model.network import NetworkPlan

PlanOf = Callable[..., NetworkPlan]

CONV = "conv: {out_channels: 2, padding: 1}"


def made_of(graph: Graph) -> list[tuple[str, tuple[int, ...]]]:
    """The layer, or how tensors are joined, and the numbers of the sources, of every node."""
    return [
        (node.planned.name if node.planned else node.joining, node.sources)
        for node in graph.nodes[1:]
    ]


def test_a_residual_adds_what_its_layers_and_its_shortcut_give(plan_of: PlanOf) -> None:
    plan = plan_of(f"{{layers: [{CONV}, residual: {{layers: [tanh], activation: relu}}, silu]}}")
    assert made_of(plan.graph) == [
        ("conv1", (0,)),
        ("residual1.tanh1", (1,)),
        ("add", (2, 1)),
        ("residual1.activation.relu1", (3,)),
        ("silu1", (4,)),
    ]
    assert (plan.graph.ends["residual1"], plan.graph.output) == (4, 5)


def test_a_dense_step_takes_all_before_it(plan_of: PlanOf) -> None:
    graph = plan_of(f"{{layers: [dense: {{layers: [{CONV}], times: 3}}]}}").graph
    assert [sources for _, sources in made_of(graph)] == [
        (0,),
        (0, 1),
        (2,),
        (0, 1, 3),
        (4,),
        (0, 1, 3, 5),
    ]
    assert [node.shape[0] for node in graph.nodes] == [1, 2, 3, 2, 5, 2, 7]


def test_factors_are_joined_by_a_product(plan_of: PlanOf) -> None:
    graph = plan_of(f"{{layers: [{CONV}, squeeze_excite: 2]}}").graph
    assert made_of(graph)[-1] == ("multiply", (1, 6))


def test_an_auxiliary_output_has_no_followers(plan_of: PlanOf) -> None:
    """Also where it stands in a block."""
    aside = "auxiliary: {name: aside, layers: [flatten, linear: classes]}"
    text = f"{{layers: [{CONV}, residual: [{aside}, relu], flatten, linear: classes]}}"
    behind = {
        planned.name: [follower.name for follower in followers]
        for planned, followers in plan_of(text).graph.with_followers()
    }
    assert behind["conv1"] == ["residual1.relu1", "flatten1", "linear1"]
    assert behind["residual1.aside.flatten1"] == ["residual1.aside.linear1"]
    assert behind["residual1.aside.linear1"] == []


def test_a_folded_block_is_a_single_layer(plan_of: PlanOf) -> None:
    aside = "auxiliary: [flatten, linear: classes]"
    plan = plan_of(f"{{layers: [{CONV}, residual: [sequence: [tanh], relu], {aside}, silu]}}")
    assert made_of(graph_of(plan.layers, plan.input, depth=1)) == [
        ("conv1", (0,)),
        ("residual1", (1,)),
        ("auxiliary1", (2,)),
        ("silu1", (2,)),
    ]
    assert made_of(graph_of(plan.layers, plan.input, depth=2))[1:4] == [
        ("residual1.sequence1", (1,)),
        ("residual1.relu1", (2,)),
        ("add", (3, 1)),
    ]


def test_every_node_knows_the_blocks_around_it(plan_of: PlanOf) -> None:
    graph = plan_of("{layers: [residual: [sequence: [tanh], silu], relu]}").graph
    assert [[block.name for block in node.blocks] for node in graph.nodes] == [
        [],
        ["residual1", "residual1.sequence1"],
        ["residual1"],
        ["residual1"],
        [],
    ]


def test_blocks_separate_neighbours_and_auxiliary_layers_do_not(plan_of: PlanOf) -> None:
    aside = "auxiliary: {name: aside, layers: [flatten, linear: classes]}"
    graph = plan_of(f"{{layers: [{CONV}, {aside}, relu, sequence: [tanh, silu], selu]}}").graph
    assert [(planned.name, after.name) for planned, after in graph.neighbours()] == [
        ("aside.flatten1", "aside.linear1"),
        ("conv1", "relu1"),
        ("sequence1.tanh1", "sequence1.silu1"),
    ]


@pytest.mark.parametrize(
    ("layers", "deciding"),
    [
        ("flatten, linear: 5, relu", "linear1"),
        ("flatten, sequence: [linear: 5, relu], tanh", "sequence1.linear1"),
        ("flatten, linear: 5, sequence: [relu]", "sequence1"),
        ("flatten, residual: {layers: [linear: 5], activation: relu}", "residual1"),
        ("flatten, sequence: [residual: [linear: 5]]", "sequence1.residual1"),
        ("flatten, linear: 5, auxiliary: [linear: 7]", "linear1"),
        ("flatten, repeat: {times: 2, layers: [linear: 5]}", "repeat1.2.linear1"),
    ],
)
def test_the_layer_that_sets_the_output_shape(plan_of: PlanOf, layers: str, deciding: str) -> None:
    found = plan_of(f"{{layers: [{layers}]}}").graph.deciding()
    assert found and found.name == deciding


def test_nothing_sets_a_shape_that_stays(plan_of: PlanOf) -> None:
    assert plan_of("{layers: [relu, tanh]}").graph.deciding() is None
