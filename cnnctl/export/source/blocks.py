"""Finds the blocks of a network that are to be classes, and those of one class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cnnctl.export.source.about import about
from cnnctl.export.source.classes import Definition
from cnnctl.export.source.expressions import Call
from cnnctl.export.source.forward import is_parallel, lone_way
from cnnctl.export.source.naming import block_class_name, free_name
from cnnctl.export.source.nodes import Chain, Flow, Leaf, Node, children, class_key, ends_of, key
from cnnctl.export.source.unification import unify
from cnnctl.model.blocks import chains
from cnnctl.model.layer import Layer

FEWEST_USES = 2
_FULLER = {
    "Residual": "ResidualBlock",
    "Basic": "BasicBlock",
    "Plain": "PlainBlock",
    "Branches": "ParallelBlock",
}
"""Names for classes of which only the first part is the name of the block."""


@dataclass(slots=True)
class _Round:
    """The innermost blocks of a network that are to be classes."""

    counts: Counter[str]
    found: dict[int, Node]

    def visit(self, node: Node, *, is_in_class: bool, is_top: bool) -> bool:
        """Find the blocks in a node, and whether there are any."""
        makes_class = self._is_class(node, is_in_class=is_in_class, is_top=is_top)
        inner = [
            self.visit(
                part,
                is_in_class=makes_class and isinstance(node, Chain) and not _is_gate(part, node),
                is_top=False,
            )
            for part in children(node)
        ]
        if makes_class and not any(inner):
            self.found[id(node)] = node
        return makes_class or any(inner)

    def _is_class(self, node: Node, *, is_in_class: bool, is_top: bool) -> bool:
        if isinstance(node, Leaf):
            return False
        is_often = self.counts[class_key(node)] >= FEWEST_USES
        if isinstance(node, Flow):
            if node.is_dense or node.is_aside:
                return False
            lone = lone_way(node)
            if lone is None and not is_parallel(node):
                return True
            if lone is not None and node.ways[lone].name:
                return not is_in_class
            return not is_in_class and (is_often or not is_top)
        if not node.is_sequence or _is_uniform(node):
            return False
        has_flow = any(isinstance(part, Flow) and not part.is_dense for part in node.parts)
        return has_flow or (is_often and len(node.parts) > 1)


def _is_gate(part: Node, chain: Chain) -> bool:
    """Whether a part of a chain with others is a flow with one way, which has a name."""
    if not isinstance(part, Flow) or len(chain.parts) <= FEWEST_USES:
        return False
    lone = lone_way(part)
    return lone is not None and bool(part.ways[lone].name)


def _is_uniform(chain: Chain) -> bool:
    return len(chain.parts) > 1 and len({repr(key(part)) for part in chain.parts}) == 1


def define(parts: Sequence[Node], taken: set[str]) -> tuple[tuple[Node, ...], list[Definition]]:
    """Find classes for the blocks of a network.

    Returns:
        the parts with each block as a call of its class, and the classes, inner ones first.
    """
    definitions: list[Definition] = []
    root: Node = Chain("", tuple(parts), (), ())
    while True:
        counts = Counter(class_key(node) for node in _all(root) if not isinstance(node, Leaf))
        search = _Round(counts, {})
        for part in children(root):
            search.visit(part, is_in_class=False, is_top=True)
        if not search.found:
            return children(root), definitions
        calls: dict[int, Leaf] = {}
        for group in _groups(list(search.found.values())):
            unified = unify(group)
            name = _class_name(group[0], taken)
            definitions.append(Definition(name, unified, about(unified.node)))
            for number, node in enumerate(group):
                arguments = tuple(each.argument(number) for each in unified.parameters)
                calls[id(node)] = _called(node, Call(name, arguments))
        root = _replaced(root, calls)


def _all(node: Node) -> Iterator[Node]:
    yield node
    for part in children(node):
        yield from _all(part)


def _groups(nodes: Sequence[Node]) -> list[list[Node]]:
    """Blocks of one class each; those with different shortcuts are different classes."""
    groups: dict[str, list[Node]] = {}
    for node in nodes:
        groups.setdefault(class_key(node), []).append(node)
    return [part for group in groups.values() for part in _split(group)]


def _split(group: list[Node]) -> list[list[Node]]:
    kinds: dict[str, list[Node]] = {"": []}
    for node in group:
        kinds.setdefault(_optional_key(node), []).append(node)
    plain = kinds.pop("")
    if not kinds:
        return [plain]
    first, *others = kinds.values()
    ids = {id(node) for node in (*plain, *first)}
    return [[node for node in group if id(node) in ids], *others]


def _optional_key(node: Node) -> str:
    if not isinstance(node, Flow):
        return ""
    ways = zip(node.ways, node.is_optional, strict=True)
    keys = [repr(key(way.chain)) for way, optional in ways if optional and way.parts]
    return " ".join(keys)


def _called(node: Node, call: Call) -> Leaf:
    return Leaf(node.name, call, *ends_of(node), _layer_of(node))


def _layer_of(node: Node) -> Layer:
    """The layer of a node; of a chain, its last."""
    if isinstance(node, Chain):
        return chains.Group(layers=[_layer_of(node.parts[-1])])
    return node.planned.layer if isinstance(node, Flow) else node.layer


def _replaced(node: Node, calls: Mapping[int, Leaf]) -> Node:
    """A node with the calls of classes for some of the nodes in it, by their `id`."""
    if id(node) in calls or isinstance(node, Leaf):
        return calls.get(id(node), node)
    if isinstance(node, Chain):
        return replace(node, parts=_all_replaced(node.parts, calls))
    ways = (replace(way, parts=_all_replaced(way.parts, calls)) for way in node.ways)
    return replace(node, ways=tuple(ways))


def _all_replaced(parts: Sequence[Node], calls: Mapping[int, Leaf]) -> tuple[Node, ...]:
    return tuple(_replaced(part, calls) for part in parts)


def _class_name(node: Node, taken: set[str]) -> str:
    name = _full_name(node)
    options = (name, *([] if name.endswith("Block") else [f"{name}Block"]))
    numbered = (f"{name}{n}" for n in range(2, 1000))
    chosen = next(option for option in (*options, *numbered) if option not in taken)
    taken.add(chosen)
    return chosen


def _full_name(node: Node) -> str:
    """The name of a class; `InvertedResidual` for a residual of an `Inverted` alone."""
    name = free_name(block_class_name(_stem(node)))
    if isinstance(node, Chain) and len(node.parts) == 1 and isinstance(node.parts[0], Flow):
        return _FULLER.get(name, name)
    if not isinstance(node, Flow):
        return name
    bodies = [way.parts for way in node.ways if not way.name]
    lone = bodies[0][0] if bodies and len(bodies[0]) == 1 else None
    is_own_class = isinstance(lone, Leaf) and not lone.call.function.startswith("nn.")
    if lone and is_own_class and name == "Residual":
        return f"{block_class_name(_stem(lone))}{name}"
    return _FULLER.get(name, name)


def _stem(node: Node) -> str:
    return node.name.rstrip("0123456789") or node.name
