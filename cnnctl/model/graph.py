"""A planned network as a graph: which tensor is computed from which.

Receptive fields, memory, initialisation and advice each go once through its nodes, in the order in
which they run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cnnctl.model.block import Block, PlannedLayer
from cnnctl.model.layer import Shape
from cnnctl.model.modules import Join


@dataclass(frozen=True, slots=True)
class Node:
    """A tensor: the network's input, a layer's output, or several tensors joined."""

    shape: Shape
    sources: tuple[int, ...] = ()
    """The numbers of the nodes that it is made of: one of a layer, several of a join."""
    planned: PlannedLayer | None = None
    """The layer that gives it, which holds no others; none of the input and of joins."""
    joining: Join = "concatenate"
    aside: str = ""
    """The block that it stands in, if that passes its input on and gives this elsewhere."""


@dataclass(slots=True)
class Graph:
    """The nodes, each after its sources; node 0 is the input."""

    nodes: list[Node]
    ends: dict[str, int] = field(default_factory=dict)
    """The node of what each layer and block gives, by its name."""
    output: int = 0

    def with_followers(self) -> Iterator[tuple[PlannedLayer, Iterator[PlannedLayer]]]:
        """Every layer that holds no others, with those that get what it gives, at once or later."""
        for number, node in enumerate(self.nodes):
            if node.planned:
                yield node.planned, self._followers(number)

    def _followers(self, number: int) -> Iterator[PlannedLayer]:
        reached, aside = {number}, ("", self.nodes[number].aside)
        for later in range(number + 1, len(self.nodes)):
            node = self.nodes[later]
            if node.aside in aside and not reached.isdisjoint(node.sources):
                reached.add(later)
                if node.planned:
                    yield node.planned


def graph_of(layers: Sequence[PlannedLayer], input: Shape) -> Graph:
    """The graph of a network with these layers."""
    graph = Graph([Node(input)])
    graph.output = _chain(graph, layers, 0, "")
    return graph


def _chain(graph: Graph, layers: Sequence[PlannedLayer], source: int, aside: str) -> int:
    """Add layers one after the other; the node of what comes out."""
    for planned in layers:
        if isinstance(planned.layer, Block):
            source = _block(graph, planned, planned.layer, source, aside)
        else:
            source = _add(graph, Node(planned.output, (source,), planned, aside=aside))
        graph.ends[planned.name] = source
    return source


def _block(graph: Graph, planned: PlannedLayer, block: Block, source: int, aside: str) -> int:
    inside = planned.name if block.is_aside else aside
    ends: list[int] = []
    for index, branch in enumerate(planned.branches):
        taken = tuple(block.taken(index, source, ends))
        start = Node(branch.input, taken, joining=block.joining, aside=inside)
        ends.append(_chain(graph, branch.layers, _add(graph, start), inside))
    given = tuple(block.given(source, ends))
    return _add(graph, Node(planned.output, given, joining=block.joining, aside=aside))


def _add(graph: Graph, node: Node) -> int:
    """The number of a node; a join of a single tensor is that tensor."""
    if node.planned is None and len(node.sources) == 1:
        return node.sources[0]
    graph.nodes.append(node)
    return len(graph.nodes) - 1
