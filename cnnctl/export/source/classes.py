"""Blocks as classes: those that differ only in numbers become one, with parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cnnctl.export.source.constructors import chain_document, dictionary, document_of
from cnnctl.export.source.expressions import (
    Document,
    Group,
    Item,
    Text,
    is_attribute,
    lines_of,
    written,
)
from cnnctl.export.source.forward import (
    Forward,
    chain_forward,
    flow_forward,
    lone_way,
    needs_module,
)
from cnnctl.export.source.nodes import Chain, Flow, Leaf, Node
from cnnctl.export.source.unification import Unified


@dataclass(frozen=True, slots=True)
class Definition:
    """A class of blocks."""

    name: str
    unified: Unified
    about: str

    def lines(self) -> list[str]:
        """Its source."""
        node, conditions = self.unified.node, self.unified.conditions
        declared = [each.declared() for each in self.unified.parameters]
        writer = Forward()
        if isinstance(node, Flow):
            made = _once(_flow_statements(node, conditions))
            result = flow_forward(node, writer, optional=conditions)
        else:
            assert isinstance(node, Chain)
            made = _once(line for part in node.parts for line in statements(part))
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
            *(f"        {line}" for line in writer.returned(result)),
        ]


def _once(lines: Iterable[str]) -> list[str]:
    """Lines without repetitions of attributes that are arguments."""
    found: list[str] = []
    for line in lines:
        is_argument = re.fullmatch(r"        self\.(\w+) = \1", line)
        if not (is_argument and line in found):
            found.append(line)
    return found


def signature(parameters: Sequence[str]) -> list[str]:
    """The head of `__init__`, with declared parameters."""
    declared = Group("(", tuple(Item("", Text(each)) for each in ("self", *parameters)), ")")
    head = lines_of(declared, before="def __init__", after=" -> None:", indent=4)
    return [*head, "        super().__init__()"]


def statements(part: Node) -> Iterator[str]:
    """The statements of `__init__` for a part of a chain."""
    if isinstance(part, Leaf) and part.is_lifted:
        function = written(part.call.values[0])
        yield f"        self.{function} = {function}"
        return
    if isinstance(part, Leaf) and part.write:
        return
    yield from assignment(part.name, _made_in_place(part))


def assignment(name: str, document: Document, *, indent: int = 8) -> list[str]:
    """A statement that sets an attribute of the module."""
    if not is_attribute(name):
        items = (Item("", Text(written(name))), Item("", document))
        return lines_of(Group("self.add_module(", items, ")"), before="", indent=indent)
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
