"""Overrides such as `train.epochs=3` on the command line, applied on top of a file."""

from __future__ import annotations

from collections.abc import Iterable

from cnnctl.config.nodes import Node, Place
from cnnctl.config.parsing import MAX_DEPTH, parse
from cnnctl.config.source import entries
from cnnctl.errors import ConfigPath, Fault, FaultError, dotted

COMMAND_LINE = 1
"""The layer of an override: above every file."""
MAX_DIGITS = 9
"""Limit on the digits of a list index."""


def apply(root: Node, overrides: Iterable[str]) -> Node:
    """Apply every override to the experiment, in order; `root` itself is not changed.

    Raises:
        FaultError: all overrides that are not `path=value`, or name a list item that does not
            exist.
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


def read(text: str) -> tuple[ConfigPath, Node]:
    """Split `path=value`; the value is read as YAML."""
    name, equals, value = text.partition("=")
    steps = name.split(".")
    if not equals or not all(steps) or len(steps) > MAX_DEPTH:
        hint = "write it as path=value, like train.epochs=3"
        raise FaultError(Fault(place=text, message="is not an override", hint=hint))
    if steps == ["base"]:
        hint = "pass the base file itself, or set base: in a file"
        raise FaultError(Fault(place=text, message="base can only be set in a file", hint=hint))
    node = parse(value, origin=text, layer=COMMAND_LINE)
    _place(node, Place(text))
    return tuple(map(_step, steps)), node


def _step(text: str) -> str | int:
    is_position = text.isdecimal() and len(text) <= MAX_DIGITS
    return int(text) if is_position else text


def _place(node: Node, place: Place) -> None:
    """On a command line, the location is the override itself, not a line and column."""
    node.place = node.key_place = place
    for child in node.children():
        _place(child, place)


def _put(node: Node, path: ConfigPath, value: Node, done: ConfigPath) -> Node:
    """The node with this value at `path` in it; `done` is the path of the node."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    at = (*done, step)
    if isinstance(node.value, list):
        return _put_item(node, step, rest, value, at)
    if not _may_hold_options(node, done):
        message = f"{dotted(done)} is {node.value}, so it has no option {step}"
        hint = f"override {dotted(done)} itself, like {dotted(done)}={{…}}"
        raise FaultError(Fault(place=str(value.place), message=message, hint=hint))
    below = node.child(step) or Node(None, value.place, value.place, COMMAND_LINE)
    merged = {**entries(node), str(step): _put(below, rest, value, at)}
    return Node(merged, node.place, node.key_place, node.layer)


def _may_hold_options(node: Node, path: ConfigPath) -> bool:
    """Whether a node can have options: a mapping, nothing, or a string that names a section's kind.

    The string in `- linear: classes` cannot: it is short for an option that only the kind knows.
    """
    is_item = len(path) > 1 and isinstance(path[-2], int)
    return isinstance(node.value, dict | None) or (isinstance(node.value, str) and not is_item)


def _put_item(node: Node, step: str | int, rest: ConfigPath, value: Node, at: ConfigPath) -> Node:
    below = node.child(step)
    if below is None:
        last = len(node.children()) - 1
        hint = f"items are numbered from 0 to {last}" if last >= 0 else "override the whole list"
        message = f"{dotted(at)}: no such list item"
        raise FaultError(Fault(place=str(value.place), message=message, hint=hint))
    if isinstance(below.value, str) and rest:  # `- relu` counts as `- relu: {}`
        below = Node({below.value: Node(None, below.place)}, below.place, layer=below.layer)
    items = list(node.children())
    items[int(step)] = _put(below, rest, value, at)
    return Node(items, node.place, node.key_place, node.layer)
