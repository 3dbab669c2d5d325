"""`train.epochs=3` on the command line, laid over a file."""

from __future__ import annotations

from collections.abc import Iterable

from cnnctl.config.source import Node, Place, entries, parse
from cnnctl.errors import Fault, FaultError, Path, dotted

COMMAND_LINE = 1 << 10
"""The layer of an override: above every file."""


def apply(root: Node, overrides: Iterable[str]) -> Node:
    """Lay every override over the experiment, in order; `root` itself is not changed.

    Raises:
        FaultError: all the overrides that are not `path=value`, or name a list item that is not
            there.
    """
    faults: list[Fault] = []
    for text in overrides:
        try:
            path, value = read(text)
            root = _put(root, path, value, done=())
        except FaultError as error:
            faults += error.faults
    if faults:
        raise FaultError(*faults)
    return root


def read(text: str) -> tuple[Path, Node]:
    """Split `path=value`; the value is read as YAML."""
    name, equals, value = text.partition("=")
    steps = name.split(".")
    if not equals or not all(steps):
        cure = "write it as path=value, like train.epochs=3"
        raise FaultError(Fault(place=text, message="is not an override", cure=cure))
    path = tuple(int(step) if step.isdecimal() else step for step in steps)
    node = parse(value, origin=text, layer=COMMAND_LINE)
    _place(node, Place(text))
    return path, node


def _place(node: Node, place: Place) -> None:
    """A line and column say nothing on a command line; the override itself does."""
    node.place = node.key_place = place
    for child in node.children():
        _place(child, place)


def _put(node: Node, path: Path, value: Node, done: Path) -> Node:
    if not path:
        return value
    step, rest = path[0], path[1:]
    at = (*done, step)
    if isinstance(node.value, list):
        return _put_item(node, step, rest, value, at)
    if isinstance(node.value, int | float):
        cure = f"override {dotted(done)} itself, like {dotted(done)}={{…}}"
        message = f"{dotted(done)} is a single value here, without {step}"
        raise FaultError(Fault(place=str(value.place), message=message, cure=cure))
    below = node.child(step) or Node(None, value.place, value.place, COMMAND_LINE)
    merged = {**entries(node), str(step): _put(below, rest, value, at)}
    return Node(merged, node.place, node.key_place, node.layer)


def _put_item(node: Node, step: str | int, rest: Path, value: Node, at: Path) -> Node:
    assert isinstance(node.value, list)
    below = node.child(step)
    if below is None:
        cure = f"items are counted from 0 to {len(node.value) - 1}" if node.value else "it is empty"
        message = f"{dotted(at)}: no such item of the list"
        raise FaultError(Fault(place=str(value.place), message=message, cure=cure))
    if isinstance(below.value, str) and rest:  # `- relu` counts as `- relu: {}`
        below = Node({below.value: Node(None, below.place)}, below.place, layer=below.layer)
    items = list(node.value)
    items[int(step)] = _put(below, rest, value, at)
    return Node(items, node.place, node.key_place, node.layer)
