"""Plain data that knows where it was written: a tree of nodes, each with its line and column."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cnnctl.errors import ConfigPath, Fault

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a key or a value was written: a line and column of a file, both from 1."""

    origin: str
    line: int = 0
    column: int = 0
    used_at: Place | None = field(default=None, compare=False)
    """Of a template: where it is used."""

    def __str__(self) -> str:
        place = f"{self.origin}:{self.line}:{self.column}" if self.line else self.origin
        return f"{place}, used at {self.used_at}" if self.used_at else place


@dataclass(slots=True)
class Node:
    """A value and its place; mappings and lists contain nodes."""

    value: dict[str, Node] | list[Node] | Scalar
    place: Place
    key_place: Place | None = None
    """The place of the key that this value belongs to."""
    layer: int = 0
    """The source it is from: higher overrides lower (`base:`, the file, the command line)."""
    size: int = field(default=1, repr=False)
    """Values in it, including itself; the target of an alias counts each time."""
    height: int = field(default=0, repr=False)
    """Levels below it."""
    home: ConfigPath | None = field(default=None, repr=False)
    """Of a template: the path at which it was written, below the model."""
    formula: str = field(default="", repr=False)
    """What the value was computed from: `24 / 16`."""

    def child(self, key: str | int) -> Node | None:
        """The node below this one, or nothing."""
        if isinstance(self.value, dict):
            return self.value.get(str(key))
        if isinstance(self.value, list) and isinstance(key, int) and -1 < key < len(self.value):
            return self.value[key]
        return None

    def children(self) -> list[Node]:
        """All nodes right below this one."""
        if isinstance(self.value, dict):
            return list(self.value.values())
        return self.value if isinstance(self.value, list) else []

    def plain(self) -> Any:
        """The data alone: dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def follow(root: Node, path: ConfigPath) -> tuple[Node, ConfigPath]:
    """Go down `path` as far as the text goes: the last node there is, and the rest of the path."""
    node = root
    for position, step in enumerate(path):
        below = _below(node, step)
        if below is None:
            return node, path[position:]
        node = below
    return node, ()


def _below(node: Node, step: str | int) -> Node | None:
    """The node below another; a list that stands for an option, as `residual: […]`, is that one."""
    if isinstance(node.value, list) and isinstance(step, str):
        return node
    return node.child(step)


def homeward(root: Node, path: ConfigPath, *, above: ConfigPath = ()) -> ConfigPath:
    """A path of what templates were expanded to, as the path of what was written.

    `above` is the path of the part that the homes of templates are counted from.
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
    """The place of a fault: of its key, of its value, or of the nearest thing around it."""
    node, rest = follow(root, fault.path)
    return node.key_place if fault.at_key and not rest and node.key_place else node.place


def from_plain(data: Any, place: Place) -> Node:
    """Nodes for data that was not read from YAML; all of it stands at one place."""
    node = Node(data, place, place)
    if isinstance(data, dict):
        node.value = {str(key): from_plain(value, place) for key, value in data.items()}
    elif isinstance(data, list):
        node.value = [from_plain(value, place) for value in data]
    return node
