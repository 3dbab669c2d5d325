"""Nodes as the expressions that make their modules; equal ones in a row become a comprehension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count, pairwise

from cnnctl.export.source.expressions import (
    Document,
    Group,
    Item,
    Name,
    Text,
    is_attribute,
    written,
)
from cnnctl.export.source.nodes import (
    Chain,
    Flow,
    Leaf,
    Node,
    Way,
    arguments_in,
    key,
    with_values,
)
from cnnctl.export.source.ramps import ramp_of

FEWEST = 3
"""The smallest number of equal modules that are written as a loop."""

Column = tuple[object, ...]
"""The values of one argument in modules that are alike."""


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
    if prefix is not None and len(parts) >= (2 if is_repeat else FEWEST):
        loop = _loop(parts)
        if loop:
            return _numbered("numbered", loop, prefix)
    if is_repeat:
        return _listed("numbered", parts)
    if not all(is_attribute(part.name) for part in parts):
        items = tuple(Item(f'"{part.name}": ', document_of(part)) for part in parts)
        names = Group("{", items, "}", is_collection=True)
        return Group("named(", (Item("**", names),), ")")
    items = tuple(Item(f"{part.name}=", document_of(part)) for part in parts)
    return Group("named(", items, ")")


def _listed(function: str, parts: Sequence[Node]) -> Document:
    items = tuple(Item("", document_of(part)) for part in parts)
    return Group(f"{function}(", (Item("", Group("[", items, "]", is_collection=True)),), ")")


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
    names = [argument.name for _, argument in arguments_in(parts[0])]
    rows = [[argument.value for _, argument in arguments_in(part)] for part in parts]
    columns = list(zip(*rows, strict=True))
    varying = {
        column: name
        for name, column in zip(names, columns, strict=True)
        if len(set(map(repr, column))) > 1
    }
    variables, clause = _clause(varying, times=len(parts))
    values = [variables.get(column, column[0]) for column in columns]
    element = document_of(with_values(parts[0], iter(values)))
    return Group("(", (Item("", element), clause), ")", is_loop=True)


def _clause(varying: Mapping[Column, str], *, times: int) -> tuple[dict[Column, object], Item]:
    """The expression for each column of values that differ, and the clause with its variables."""
    if len(varying) == 1:
        (column,) = varying
        ramp = ramp_of(column)
        if ramp:
            return {column: ramp.text}, Item("for n in ", Text(ramp.numbers))
    variables: dict[Column, object] = {}
    for column, name in varying.items():
        taken = [each.text for each in variables.values() if isinstance(each, Name)]
        options = (name if n == 1 else f"{name}{n}" for n in count(1))
        variables[column] = Name(next(option for option in options if option not in taken))
    targets = ", ".join(map(written, variables.values())) or "_"
    return variables, Item(f"for {targets} in ", _rows(list(variables), times))


def _rows(columns: Sequence[Column], times: int) -> Document:
    """What a loop runs over: values, a range of them, or rows of several."""
    if not columns:
        return Text(f"range({times})")
    if len(columns) == 1 and _range(columns[0]):
        return Text(_range(columns[0]))
    rows = columns[0] if len(columns) == 1 else tuple(zip(*columns, strict=True))
    items = tuple(Item("", Text(written(row))) for row in rows)
    return Group("(", items, ")", is_collection=True)


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
        return _listed("DenseBlock", [way.chain for way in flow.ways])
    return dictionary(flow.ways)


def dictionary(chains: Sequence[Chain | Way]) -> Document:
    """The expression that makes a dictionary of chains, by their names."""
    items = tuple(Item(f'"{chain.name}": ', chain_document(chain.parts)) for chain in chains)
    inner = Group("{", items, "}", is_collection=True)
    return Group("nn.ModuleDict(", (Item("", inner),), ")")
