"""Blocks as classes: those that differ only in numbers become one, with parameters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from keyword import iskeyword

from cnnctl.export.source.constructors import chain_document, dictionary, document_of
from cnnctl.export.source.expressions import WIDTH, Call, Document, lines_of, written
from cnnctl.export.source.forward import (
    Forward,
    chain_forward,
    flow_forward,
    is_parallel,
    lone_way,
    needs_module,
)
from cnnctl.export.source.naming import block_class_name, free_name
from cnnctl.export.source.nodes import Chain, Flow, Leaf, Node, children, ends_of, key
from cnnctl.export.source.unification import Unified, unify
from cnnctl.model.blocks.chains import Group
from cnnctl.model.layer import Layer
from cnnctl.model.modules import Join

FEWEST_USES = 2
_FULLER = {
    "Residual": "ResidualBlock",
    "Basic": "BasicBlock",
    "Plain": "PlainBlock",
    "Branches": "ParallelBlock",
}
"""Names for classes of which only the first part is the name of the block."""
_JOINED: Mapping[Join, str] = {
    "concatenate": "concatenated",
    "add": "added",
    "multiply": "multiplied",
    "mean": "averaged",
}
_WORDS = {
    "conv": "convolution",
    "conv_transpose": "transposed convolution",
    "residual": "residual block",
    "branches": "parallel branches",
}


@dataclass(frozen=True, slots=True)
class Definition:
    """A class of blocks."""

    name: str
    unified: Unified
    about: str

    def lines(self) -> list[str]:
        """Its source."""
        node, conditions = self.unified.node, self.unified.conditions
        declared = "".join(f", {each.declared()}" for each in self.unified.parameters)
        writer = Forward()
        if isinstance(node, Flow):
            made = list(_flow_statements(node, conditions))
            result = flow_forward(node, writer, optional=conditions)
        else:
            assert isinstance(node, Chain)
            made = [line for part in node.parts for line in statements(part)]
            result = chain_forward(node, writer)
        return [
            f"class {self.name}(nn.Module):",
            f'    """{self.about}"""',
            "",
            *signature(declared),
            *(f"        {name} = {text}" for name, text in self.unified.local.items()),
            *made,
            "",
            "    def forward(self, x: Tensor) -> Tensor:",
            *(f"        {line}" for line in writer.lines),
            f"        return {result}",
        ]


def signature(declared: str) -> list[str]:
    """The head of `__init__`, with parameters that each follow a comma."""
    whole = f"    def __init__(self{declared}) -> None:"
    if len(whole) <= 88:
        lines = [whole]
    else:
        inner = f"        self{declared}"
        fits = [inner] if len(inner) <= 88 else [f"        {p}," for p in inner.strip().split(", ")]
        lines = ["    def __init__(", *fits, "    ) -> None:"]
    return [*lines, "        super().__init__()"]


def statements(part: Node) -> Iterator[str]:
    """The statements of `__init__` for a part of a chain."""
    if isinstance(part, Leaf) and part.write:
        return
    yield from assignment(part.name, _made_in_place(part))


def assignment(name: str, document: Document, *, indent: int = 8) -> list[str]:
    """A statement that sets an attribute of the module."""
    if iskeyword(name):
        before = f"self.add_module({written(name)}, "
        return lines_of(document, before=before, after=")", indent=indent)
    return lines_of(document, before=f"self.{name} = ", indent=indent)


def _made_in_place(part: Node) -> Document:
    if isinstance(part, Flow) and not part.is_dense:
        lone = lone_way(part)
        if lone is not None:
            way = part.ways[lone]
            return dictionary([way]) if way.name else chain_document(way.parts)
    return document_of(part)


def _flow_statements(flow: Flow, conditions: dict[str, str]) -> Iterator[str]:
    for way in flow.ways:
        if not way.name:
            for part in way.parts:
                yield from statements(part)
        elif way.name in conditions:
            yield f"        self.{way.name} = nn.Sequential()"
            yield f"        if {conditions[way.name]}:"
            yield from assignment(way.name, chain_document(way.parts), indent=12)
        elif needs_module(way):
            yield from assignment(way.name, chain_document(way.parts))


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
        is_often = self.counts[repr(key(node))] >= FEWEST_USES
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
    root: Node = Chain("", tuple(parts))
    while True:
        counts = Counter(repr(key(node)) for node in _all(root) if not isinstance(node, Leaf))
        search = _Round(counts, {})
        for part in children(root):
            search.visit(part, is_in_class=False, is_top=True)
        if not search.found:
            return children(root), definitions
        calls: dict[int, Leaf] = {}
        for group in _groups(list(search.found.values())):
            unified = unify(group)
            name = _class_name(group[0], taken)
            definitions.append(Definition(name, unified, _about(group[0])))
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
        groups.setdefault(repr(key(node)), []).append(node)
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
        return Group(layers=[_layer_of(node.parts[-1])])
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
    stem = node.name.rstrip("0123456789") or node.name
    name = free_name(block_class_name(stem))
    if isinstance(node, Flow):
        name = _FULLER.get(name, name)
    options = [name, f"{name}Block", *(f"{name}{n}" for n in range(2, 1000))]
    chosen = next(option for option in options if option not in taken)
    taken.add(chosen)
    return chosen


def _about(node: Node) -> str:
    parts = children(node)
    if isinstance(node, Chain) and len(parts) == 1:
        return _about(parts[0])
    if isinstance(node, Flow):
        about = (type(node.planned.layer).__doc__ or "").strip().partition("\n")[0]
        about = about.replace("joined", _JOINED[node.joining])
        is_long = len(about) + len('    """"""') > WIDTH
        return re.sub(r" \([^()]*\)\.$", ".", about) if is_long else about
    words = [_word(part) for part in parts] or ["nothing"]
    text = ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else words[0]
    return text[:1].upper() + text[1:] + "."


def _word(node: Node) -> str:
    if isinstance(node, Leaf) and not node.call.function.startswith("nn."):
        return node.name.rstrip("0123456789").replace("_", " ")
    if isinstance(node, Leaf) and node.layer.role == "activations":
        return node.call.function.removeprefix("nn.")
    kind = node.layer.kind if isinstance(node, Leaf) else node.name.rstrip("0123456789")
    return _WORDS.get(kind, kind.replace("_", " "))
