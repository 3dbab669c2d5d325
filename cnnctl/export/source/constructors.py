"""Nodes as the expressions that make their modules; equal ones in a row become a comprehension."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, pairwise

from cnnctl.export.source.expressions import Document, Group, Item, Name, Text, written
from cnnctl.export.source.nodes import (
    Flow,
    Leaf,
    Node,
    Way,
    arguments_in,
    key,
    with_values,
)

FEWEST = 3
"""The smallest number of equal modules that are written as a loop."""


def document_of(node: Node) -> Document:
    """The expression that makes the module of a node."""
    if isinstance(node, Leaf):
        return node.call.document()
    if isinstance(node, Flow):
        return _flow(node)
    return chain_document(node.parts)


def chain_document(parts: Sequence[Node]) -> Document:
    """The expression that makes a sequence of modules with their names."""
    if not parts:
        return Text("nn.Sequential()")
    prefix = _prefix(parts)
    is_repeat = prefix == ""
    if prefix is not None and (is_repeat or len(parts) >= FEWEST):
        loop = _loop(parts)
        if loop:
            return _numbered("numbered", loop, prefix)
    if is_repeat:
        items = tuple(Item("", document_of(part)) for part in parts)
        inner = Group("[", items, "]")
        return Group("numbered(", (Item("", inner),), ")")
    items = tuple(Item(f"{part.name}=", document_of(part)) for part in parts)
    return Group("named(", items, ")")


def _numbered(function: str, loop: Group, prefix: str) -> Document:
    if not prefix:
        return Group(f"{function}(", loop.items, ")", is_loop=True)
    items = (Item("", Group("(", loop.items, ")", is_loop=True)), Item("", Text(f'"{prefix}"')))
    return Group(f"{function}(", items, ")")


def _prefix(parts: Sequence[Node]) -> str | None:
    """What the names of parts begin with, if they end with 1, 2, …; None if they do not."""
    prefix = parts[0].name.removesuffix("1")
    names = (f"{prefix}{number}" for number in count(1))
    is_numbered = all(part.name == name for part, name in zip(parts, names, strict=False))
    return prefix if is_numbered and parts[0].name.endswith("1") else None


def _loop(parts: Sequence[Node]) -> Group | None:
    """Parts with one key as a comprehension over what differs between them; None for others."""
    if len({repr(key(part)) for part in parts}) > 1:
        return None
    rows = [[argument.value for _, argument in arguments_in(part)] for part in parts]
    columns = list(zip(*rows, strict=True))
    names = [argument.name for _, argument in arguments_in(parts[0])]
    variables: dict[tuple[object, ...], str] = {}
    for name, column in zip(names, columns, strict=True):
        if len(set(map(repr, column))) > 1 and column not in variables:
            variables[column] = _free(name, variables.values())
    values = (Name(variables[column]) if column in variables else column[0] for column in columns)
    element = document_of(with_values(parts[0], iter(values)))
    clause = f"for {_targets(list(variables.values()))} in {_rows(list(variables), len(parts))}"
    return Group("(", (Item("", element), Item("", Text(clause))), ")", is_loop=True)


def _free(name: str, taken: object) -> str:
    assert hasattr(taken, "__iter__")
    known = set(taken)
    options = (name if n == 1 else f"{name}{n}" for n in count(1))
    return next(option for option in options if option not in known)


def _targets(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "_"


def _rows(columns: Sequence[tuple[object, ...]], times: int) -> str:
    """What a loop runs over: values, a range of them, or rows of several."""
    if not columns:
        return f"range({times})"
    if len(columns) == 1:
        return _range(columns[0]) or written(columns[0])
    rows = tuple(zip(*columns, strict=True))
    return written(rows)


def _range(values: tuple[object, ...]) -> str:
    """Whole numbers at equal distances as a range; empty for others."""
    numbers = [value for value in values if isinstance(value, int)]
    steps = {after - before for before, after in pairwise(numbers)}
    if len(numbers) < len(values) or len(numbers) < FEWEST or len(steps) > 1 or steps == {0}:
        return ""
    (step,) = steps
    return f"range({numbers[0]}, {numbers[-1] + step}, {step})"


def _flow(flow: Flow) -> Document:
    """The expression that makes the modules of a flow that is written in place."""
    if flow.is_dense:
        loop = _loop([way.chain for way in flow.ways])
        if loop:
            return _numbered("DenseBlock", loop, "")
        inner = Group("[", tuple(Item("", chain_document(w.parts)) for w in flow.ways), "]")
        return Group("DenseBlock(", (Item("", inner),), ")")
    return dictionary(flow.ways)


def dictionary(ways: Sequence[Way]) -> Document:
    """The expression that makes a dictionary of chains, by the names of ways."""
    items = tuple(Item(f'"{way.name}": ', chain_document(way.parts)) for way in ways)
    inner = Group("{", items, "}")
    return Group("nn.ModuleDict(", (Item("", inner),), ")")
