"""A planned network as a graph: which tensor is computed from which.

Initialisation, receptive fields, memory, advice and drawing each traverse its nodes once, in
execution order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from cnnctl.model.block import Block, Blocks, PlannedLayer
from cnnctl.model.initializers import Activation
from cnnctl.model.layer import Layer, Shape, WeightedLayer
from cnnctl.model.modules import Join


@dataclass(frozen=True, slots=True)
class Node:
    """A tensor: the network's input, a layer's output, or several tensors joined."""

    shape: Shape
    sources: tuple[int, ...] = ()
    """Numbers of the nodes it is computed from: one for a layer, several for a join."""
    planned: PlannedLayer | None = None
    """The layer or folded block that outputs it; None for the input and joins."""
    joining: Join = "concatenate"
    blocks: Blocks = ()
    """Its enclosing blocks; for a join, the last one makes it."""
    aside: str = ""
    """Its block, if that passes its input on and this output goes elsewhere."""


@dataclass(slots=True)
class Graph:
    """The nodes, each after its sources; node 0 is the input."""

    nodes: list[Node]
    ends: dict[str, int] = field(default_factory=dict)
    """The output node of each layer and block, by name."""
    output: int = 0

    def with_followers(self) -> Iterator[tuple[PlannedLayer, Iterator[PlannedLayer]]]:
        """Every leaf layer, with those that depend on its output, directly or not."""
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

    def next_weighted(self, number: int) -> list[PlannedLayer]:
        """The nearest layers with weights that take the tensor of a node, past all others."""
        reached, found = {number}, list[PlannedLayer]()
        for later in range(number + 1, len(self.nodes)):
            node = self.nodes[later]
            if reached.isdisjoint(node.sources):
                continue
            if node.planned and isinstance(node.planned.layer, WeightedLayer):
                found.append(node.planned)
            else:
                reached.add(later)
        return found

    def neighbours(self) -> Iterator[tuple[PlannedLayer, PlannedLayer]]:
        """Pairs of layers in the same scope, of which the second takes the first's output."""
        for node in self.nodes[1:]:
            before = self.nodes[node.sources[0]].planned
            if before and node.planned and before.scope == node.planned.scope:
                yield before, node.planned

    def deciding(self) -> PlannedLayer | None:
        """The layer that sets the output shape, or a block that joins several or has none."""
        node = self.nodes[self.output]
        while node.planned and not _sets_shape(node.planned):
            before = self.nodes[node.sources[0]]
            if before.blocks[: len(node.blocks)] != node.blocks:
                return node.blocks[-1]
            node = before
        return node.planned or (node.blocks[-1] if node.blocks else None)


def _sets_shape(planned: PlannedLayer) -> bool:
    return isinstance(planned.layer, WeightedLayer) or planned.output != planned.input


def fewest_between(
    graph: Graph, counts: Callable[[PlannedLayer], bool], *, resets: Callable[[PlannedLayer], bool]
) -> int:
    """The number of layers that count which every gradient has to pass, with no reset between.

    The path with the fewest counts, since gradients can take a shortcut.
    """
    passed: list[tuple[int, int]] = []
    for node in graph.nodes:
        # the most without a reset between them, and the number since the last one
        most, run = min((passed[source] for source in node.sources), default=(0, 0))
        if node.planned and resets(node.planned):
            run = 0
        elif node.planned and counts(node.planned):
            most, run = max(most, run + 1), run + 1
        passed.append((most, run))
    return passed[graph.output][0]


def following_activation(layers: Iterable[PlannedLayer]) -> Activation:
    """The first activation after a layer, before the next weights; `linear` if none."""
    for planned in layers:
        if planned.layer.acts_as is not None:
            return planned.layer.acts_as
        if isinstance(planned.layer, WeightedLayer):
            break
    return "linear"


def graph_of(layers: Sequence[PlannedLayer], input: Shape, *, depth: int | None = None) -> Graph:
    """The graph of layers in sequence; from a depth on, a block is a single node."""
    graph = Graph([Node(input)])
    graph.output = _Builder(graph, depth).chain(layers, 0)
    return graph


@dataclass(frozen=True, slots=True)
class _Builder:
    """Adds nodes within these blocks; each method returns the number of its node."""

    graph: Graph
    depth: int | None
    blocks: Blocks = ()
    aside: str = ""

    def chain(self, layers: Sequence[PlannedLayer], source: int) -> int:
        """Layers in sequence."""
        for planned in layers:
            source = self.planned(planned, planned.layer, source)
            self.graph.ends[planned.name] = source
        return source

    def planned(self, planned: PlannedLayer, layer: Layer, source: int) -> int:
        """A layer, or a block and its contents."""
        is_open = self.depth is None or len(self.blocks) + 1 < self.depth
        if isinstance(layer, Block) and is_open:
            return self.block(planned, layer, source)
        given = self.add(Node(planned.output, (source,), planned))
        return source if isinstance(layer, Block) and layer.is_aside else given

    def block(self, planned: PlannedLayer, block: Block, source: int) -> int:
        """The contents of a block, and its joins."""
        aside = planned.name if block.is_aside else self.aside
        inside = replace(self, blocks=(*self.blocks, planned), aside=aside)
        ends: list[int] = []
        for index, branch in enumerate(planned.branches):
            taken = block.taken(index, source, ends)
            start = inside.join(branch.input, taken, block.joining)
            ends.append(inside.chain(branch.layers, start))
        return inside.join(planned.output, block.given(source, ends), block.joining)

    def join(self, shape: Shape, sources: Sequence[int], joining: Join) -> int:
        """Tensors joined; a single one is itself."""
        if len(sources) == 1:
            return sources[0]
        return self.add(Node(shape, tuple(sources), joining=joining))

    def add(self, node: Node) -> int:
        """Append a node, within these blocks."""
        self.graph.nodes.append(replace(node, blocks=self.blocks, aside=self.aside))
        return len(self.graph.nodes) - 1
