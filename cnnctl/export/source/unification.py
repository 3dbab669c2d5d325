"""Blocks that differ only in numbers as one, with parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cnnctl.export.source.expressions import Name
from cnnctl.export.source.nodes import (
    Chain,
    Flow,
    Leaf,
    Node,
    arguments_in,
    ends_of,
    function_of,
    lifted,
    with_values,
)
from cnnctl.export.source.parameters import ABSENT, Parameter, Slot
from cnnctl.export.source.signature import Signature


@dataclass(frozen=True, slots=True)
class Unified:
    """Blocks as one: parameters, and a node whose calls refer to them."""

    parameters: tuple[Parameter, ...]
    node: Node
    conditions: dict[str, str]
    """For a way that only some blocks have, when they do."""
    local: dict[str, str]
    """Widths that are computed from parameters first, by the names of their variables."""


def unify(blocks: Sequence[Node]) -> Unified:
    """Make one node of blocks of the same class."""
    blocks = _lifted(blocks)
    whole = _whole(blocks)
    columns = zip(*(_aligned(block, whole) for block in blocks), strict=True)
    slots = [
        Slot(path, argument, values)
        for (path, argument), values in zip(arguments_in(whole), columns, strict=True)
    ]
    ends = [ends_of(block) for block in blocks]
    signature = Signature(
        tuple(before[0] for before, _ in ends),
        tuple(after[0] for _, after in ends),
        "channels" if len(ends[0][0]) > 1 else "features",
    )
    signature.take_all(slots)
    conditions: dict[str, str] = {}
    for way, present in _partial_ways(blocks):
        conditions[way] = signature.condition(way, present)
    expressions = [signature.expression(slot) for slot in slots]
    local = signature.locals_of(expressions)
    named = {text: Name(name) for name, text in local.items()}
    shorter = (
        named.get(each.text, each) if isinstance(each, Name) else each for each in expressions
    )
    return Unified(signature.ordered(), with_values(whole, shorter), conditions, local)


def _lifted(blocks: Sequence[Node]) -> list[Node]:
    """Blocks with those activations as arguments in which they differ."""
    bodies = [_body(block) for block in blocks]
    differing = {
        at
        for at, parts in enumerate(zip(*bodies, strict=True))
        if len({function_of(part) for part in parts}) > 1
    }
    changed = (
        tuple(lifted(part) if at in differing else part for at, part in enumerate(body))
        for body in bodies
    )
    return [_with_body(block, body) for block, body in zip(blocks, changed, strict=True)]


def _body(node: Node) -> tuple[Node, ...]:
    """The parts between which `forward` of a class passes tensors on."""
    if isinstance(node, Chain):
        return node.parts
    ways = node.ways if isinstance(node, Flow) else ()
    return next((way.parts for way in ways if not way.name), ())


def _with_body(node: Node, body: tuple[Node, ...]) -> Node:
    if isinstance(node, Chain):
        return replace(node, parts=body)
    assert isinstance(node, Flow)
    ways = (way if way.name else replace(way, parts=body) for way in node.ways)
    return replace(node, ways=tuple(ways))


def _whole(blocks: Sequence[Node]) -> Node:
    """The first block, with the ways that only others have."""
    first = blocks[0]
    if not isinstance(first, Flow):
        return first
    alike = [block for block in blocks if isinstance(block, Flow)]
    ways = tuple(
        next((block.ways[n] for block in alike if block.ways[n].parts), way)
        for n, way in enumerate(first.ways)
    )
    return replace(first, ways=ways)


def _aligned(node: Node, whole: Node) -> Iterator[object]:
    """The values of a node's arguments, at the places of those of the whole."""
    if isinstance(node, Leaf):
        yield from node.call.values
    elif isinstance(node, Chain):
        assert isinstance(whole, Chain)
        for part, other in zip(node.parts, whole.parts, strict=True):
            yield from _aligned(part, other)
    else:
        assert isinstance(whole, Flow)
        for own, way in zip(node.ways, whole.ways, strict=True):
            if way.parts and not own.parts:
                yield from (ABSENT for _ in arguments_in(way.chain))
            else:
                yield from _aligned(own.chain, way.chain)


def _partial_ways(blocks: Sequence[Node]) -> Iterator[tuple[str, tuple[bool, ...]]]:
    alike = [block for block in blocks if isinstance(block, Flow)]
    for number, way in enumerate(alike[0].ways if alike else ()):
        present = tuple(bool(block.ways[number].parts) for block in alike)
        if len(set(present)) > 1:
            yield way.name, present
