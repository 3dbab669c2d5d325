"""The elements of a drawing: boxes for layers, frames around blocks, and arrows."""

from __future__ import annotations

from dataclasses import dataclass, field

from cnnctl.config.wording import times
from cnnctl.model.block import Block
from cnnctl.model.graph import Graph, Node, graph_of
from cnnctl.model.network import NetworkPlan

INPUT = "n_input"


@dataclass(frozen=True, slots=True)
class Box:
    """A layer, a folded block, or a join of branches."""

    identity: str
    title: str
    detail: str
    """Its output shape."""
    family: str
    """Its role: convolution, normalization, activations, …; `join` for a join of branches."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame around the contents of a block."""

    identity: str
    title: str
    items: list[Box | Frame]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A network as boxes and arrows; the first box is the input."""

    items: list[Box | Frame]
    arrows: list[tuple[str, str]] = field(default_factory=list)


def drawing_of(plan: NetworkPlan, *, depth: int | None = None) -> Drawing:
    """Draw a network with blocks unfolded down to a depth, from 1; by default all of them."""
    pencil = _Pencil(Box(INPUT, "input", times(plan.input), "input"))
    graph = graph_of(plan.layers, plan.input, depth=depth)
    for number, node in enumerate(graph.nodes[1:], start=1):
        pencil.node(node, _box(graph, number))
    return pencil.drawing


def _box(graph: Graph, number: int) -> Box | None:
    """The box of a layer or of a block's final join; other joins are arrows to the next box."""
    node = graph.nodes[number]
    if node.planned:
        name, role = node.planned.short_name, node.planned.layer.role
        return Box(_identity(node.planned.name), name, times(node.shape), role)
    name, block = node.blocks[-1].name, node.blocks[-1].layer
    if graph.ends[name] == number and isinstance(block, Block) and not block.keeps_all:
        return Box(f"{_identity(name)}__join", block.joining, times(node.shape), "join")
    return None


class _Pencil:
    """Draws a graph, node after node."""

    def __init__(self, first: Box) -> None:
        self.drawing = Drawing([first])
        self.frames: dict[str, Frame] = {}
        self.starts = [[first.identity]]
        """For each node, the boxes where arrows to its consumers start."""

    def node(self, node: Node, box: Box | None) -> None:
        """Draw the next node and the arrows to its box; without a box, arrows pass it."""
        sources = list(dict.fromkeys(start for n in node.sources for start in self.starts[n]))
        self.starts.append([box.identity] if box else sources)
        if box:
            self.around(node).append(box)
            self.drawing.arrows.extend((source, box.identity) for source in sources)

    def around(self, node: Node) -> list[Box | Frame]:
        """The items of the innermost frame around a node."""
        items = self.drawing.items
        for block, inner in zip(node.blocks, (*node.blocks[1:], node.planned), strict=False):
            items = self.frame(items, _identity(block.name), block.short_name)
            if inner and isinstance(block.layer, Block) and block.layer.names_its_branches:
                title = inner.scope.rpartition(".")[2]
                items = self.frame(items, f"{_identity(inner.scope)}__way", title)
        return items

    def frame(self, items: list[Box | Frame], identity: str, title: str) -> list[Box | Frame]:
        """The items of a frame, which is created at its first node."""
        if identity not in self.frames:
            self.frames[identity] = Frame(identity, title, [])
            items.append(self.frames[identity])
        return self.frames[identity].items


def _identity(name: str) -> str:
    return "n_" + name.replace(".", "__")
