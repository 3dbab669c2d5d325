"""Which tensor of a network is made of which."""

from collections.abc import Callable

from cnnctl.model.graph import Graph
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


def test_what_stands_aside_is_behind_nothing(plan_of: PlanOf) -> None:
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
