"""Plain data with source locations: a tree of nodes, each with its line and column."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cnnctl.errors import ConfigPath, Fault

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Source location of a key or a value: line and column, both from 1."""

    origin: str
    line: int = 0
    column: int = 0
    used_at: Place | None = field(default=None, compare=False)
    """In a template: where it is used."""

    def __str__(self) -> str:
        place = f"{self.origin}:{self.line}:{self.column}" if self.line else self.origin
        return f"{place}, used at {self.used_at}" if self.used_at else place


@dataclass(slots=True)
class Node:
    """A value and its location; mappings and lists contain nodes."""

    value: dict[str, Node] | list[Node] | Scalar
    place: Place
    key_place: Place | None = None
    """The location of the value's key."""
    layer: int = 0
    """Its source: higher overrides lower (`base:`, the file, the command line)."""
    size: int = field(default=1, repr=False)
    """Number of values in it, including itself; the target of an alias counts every time."""
    height: int = field(default=0, repr=False)
    """Nesting levels below it."""
    home: ConfigPath | None = field(default=None, repr=False)
    """In a template: the path at which it was written, relative to the model."""
    formula: str = field(default="", repr=False)
    """The formula of a computed value: `24 / 16`."""

    def child(self, key: str | int) -> Node | None:
        """The node at a key or index; None if there is none."""
        if isinstance(self.value, dict):
            return self.value.get(str(key))
        if isinstance(self.value, list) and isinstance(key, int) and -1 < key < len(self.value):
            return self.value[key]
        return None

    def children(self) -> list[Node]:
        """The nodes directly below this one."""
        if isinstance(self.value, dict):
            return list(self.value.values())
        return self.value if isinstance(self.value, list) else []

    def plain(self) -> Any:
        """The data without locations: dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def follow(root: Node, path: ConfigPath) -> tuple[Node, ConfigPath]:
    """Follow `path` as far as it exists: the last node, and the rest of the path."""
    node = root
    for position, step in enumerate(path):
        below = _below(node, step)
        if below is None:
            return node, path[position:]
        node = below
    return node, ()


def _below(node: Node, step: str | int) -> Node | None:
    """A child; a list in short form, such as `residual: […]`, stands for its own option."""
    if isinstance(node.value, list) and isinstance(step, str):
        return node
    return node.child(step)


def homeward(root: Node, path: ConfigPath, *, above: ConfigPath = ()) -> ConfigPath:
    """Translate a path in the expanded model to the path as it was written.

    The homes of templates are relative to `above`.
    """
    node, written = root, list(path)
    for position, step in enumerate(path):
        below = _below(node, step)
        if below is None:
            break
        if below.home is not None:
            written[: len(written) - len(path) + position + 1] = [*above, *below.home]
        node = below
    return tuple(written)


def locate(root: Node, fault: Fault) -> Place:
    """The location of a fault: its key, its value, or the closest enclosing node."""
    node, rest = follow(root, fault.path)
    return node.key_place if fault.at_key and not rest and node.key_place else node.place


def without_lines(node: Node, origin: str) -> Node:
    """The same node, with places in this text that name no line."""
    if node.place.origin == origin:
        node.place = node.key_place = Place(origin)
    for child in node.children():
        without_lines(child, origin)
    return node


def from_plain(data: Any, place: Place) -> Node:
    """Nodes for data that was not read from YAML, all with the same location."""
    node = Node(data, place, place)
    if isinstance(data, dict):
        node.value = {str(key): from_plain(value, place) for key, value in data.items()}
    elif isinstance(data, list):
        node.value = [from_plain(value, place) for value in data]
    return node
