"""Text -> plain data, with the line and column of every key and value.

PyYAML's loaders build objects from tags, read YAML 1.1 (`no` is false, `1e-3` is a string), let
the last of two equal keys win and run out of stack on deep files. So only its parser is used:
the events are composed into nodes here, checked on the way, and read by the rules of YAML 1.2
(https://yaml.org/spec/1.2.2/#103-core-schema).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml

from cnnctl.errors import Fault, FaultError, Path, config_fault

Scalar = str | int | float | bool | None

MAX_BYTES = 1 << 18
MAX_DEPTH = 64
MAX_NODES = 20_000
"""What aliases may expand to, counted in keys and values."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key or a value was written: a line and column of a file, both from 1."""

    origin: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.origin}:{self.line}:{self.column}" if self.line else self.origin


@dataclass(slots=True)
class Node:
    """A value and where it stands; a mapping or a list holds nodes."""

    value: dict[str, Node] | list[Node] | Scalar
    place: Place
    key_place: Place | None = None
    """Where the key stands that this value belongs to."""
    layer: int = 0
    """Which source it is from: higher lies over lower (`base:`, the file, the command line)."""
    size: int = field(default=1, repr=False)

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


def follow(root: Node, path: Path) -> tuple[Path, Node, Path]:
    """Go down `path` as far as the text goes: the path that exists, its node, and the rest.

    An item of a list that is `kind: options` may be passed through without naming its kind.
    """
    node, rest, is_item = root, list(path), False
    real: Path = ()
    while rest:
        below = node.child(rest[0])
        if below is not None:
            is_item = isinstance(node.value, list)
            real, node = (*real, rest.pop(0)), below
        elif is_item and isinstance(node.value, dict) and len(node.value) == 1:
            kind, node = next(iter(node.value.items()))
            real, is_item = (*real, kind), False
        else:
            break
    return real, node, tuple(rest)


def locate(root: Node, fault: Fault) -> str:
    """The place of a fault: of its key, of its value, or of the nearest thing around it."""
    _, node, rest = follow(root, fault.path)
    return str(node.key_place if fault.at_key and not rest and node.key_place else node.place)


def read_file(path: FilePath) -> Node:
    """Read one YAML file; what is not a readable text file is a fault."""
    origin = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _file_fault(origin, "no such file", _similar_files(path)) from None
    except IsADirectoryError:
        raise _file_fault(origin, "is a folder, not a file", "name a YAML file in it") from None
    except OSError as error:
        raise _file_fault(origin, f"cannot be read: {error.strerror}", "") from None
    if len(content) > MAX_BYTES:
        limit = f"a configuration has at most {MAX_BYTES // 1024} KiB"
        raise _file_fault(origin, "is too large", limit)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _file_fault(origin, "is not a text file", "write YAML, in UTF-8") from None
    return parse(text, origin=origin)


def _file_fault(origin: str, message: str, cure: str) -> FaultError:
    return FaultError(Fault(place=origin, message=message, cure=cure))


def _similar_files(path: FilePath) -> str:
    from difflib import get_close_matches

    names = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    close = get_close_matches(path.name, names, n=1)
    return f"did you mean {path.parent / close[0]}?" if close else "check the path"


def parse(text: str, *, origin: str, layer: int = 0) -> Node:
    """Read YAML text into nodes; every fault names its line and column."""
    try:
        # The YAML 1.1 parser of PyYAML knows no types: it only cuts text into events.
        return _Composer(yaml.parse(text, Loader=yaml.SafeLoader), origin, layer).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(origin, mark.line + 1, mark.column + 1) if mark else Place(origin)
        message = f"is not YAML: {error.problem or error.context}"
        raise FaultError(Fault(place=str(place), message=message, cure=_yaml_cure(error))) from None
    except yaml.reader.ReaderError as error:
        message = f"is not a text file: character {error.character!r} at {error.position}"
        raise _file_fault(origin, message, "write YAML, in UTF-8") from None


def _yaml_cure(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or ""
    if r"'\t'" in problem:
        return "indent with spaces; YAML takes no tabs"
    if "mapping values are not allowed" in problem:
        return "check the indentation, or quote a text that holds ': '"
    return "check brackets, quotes and indentation around this place"


class _Composer:
    """Events -> nodes, with bounds on depth and on what aliases expand to."""

    def __init__(self, events: Iterator[Any], origin: str, layer: int) -> None:
        self.events = events
        self.origin = origin
        self.layer = layer
        self.anchors: dict[str, Node] = {}

    def document(self) -> Node:
        next(self.events)  # the start of the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return Node(None, Place(self.origin), layer=self.layer)
        root = self.node(next(self.events), depth=0)
        next(self.events)  # the end of the document
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self.fault(after, "a second document", "one file is one experiment")
        return root

    def node(self, event: Any, *, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if event.tag is not None and event.tag != "!":
            cure = "write the value alone; quote it to make it a text"
            raise self.fault(event, f"tags are not taken: {event.tag}", cure)
        if depth > MAX_DEPTH:
            raise self.fault(event, f"nested deeper than {MAX_DEPTH}", "flatten the file")
        node = Node(None, self.place(event), layer=self.layer)
        if isinstance(event, yaml.ScalarEvent):
            node.value = self.scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node.value = self.items(node, depth)
        else:
            node.value = self.entries(node, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def scalar(self, event: Any) -> Scalar:
        # event.implicit[0] is true for a scalar without quotes
        try:
            return read_scalar(event.value) if event.implicit[0] else str(event.value)
        except ValueError as error:
            raise self.fault(event, f"cannot be read: {error}", "write a shorter number") from None

    def items(self, parent: Node, depth: int) -> list[Node]:
        items: list[Node] = []
        for event in iter(self.events.__next__, None):
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self.grow(parent, event, depth))
        return items

    def entries(self, parent: Node, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for event in iter(self.events.__next__, None):
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self.key(event, entries)
            value = self.grow(parent, next(self.events), depth)
            # an aliased value has several keys, so it is the node that is new, not its content
            place = self.place(event)
            entries[key] = Node(value.value, value.place, place, self.layer, value.size)
        return entries

    def key(self, event: Any, entries: dict[str, Node]) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self.fault(event, "a key must be a word", "a list or a mapping cannot be a key")
        if event.value == "<<" and event.implicit[0]:
            raise self.fault(event, "merge keys are not taken", "use `base: FILE`, or write it out")
        key = str(event.value)
        if key in entries:
            message = f"{key} is given twice, first at line {self._line(entries[key])}"
            raise self.fault(event, message, "keep one of them")
        return key

    def grow(self, parent: Node, event: Any, depth: int) -> Node:
        node = self.node(event, depth=depth + 1)
        parent.size += node.size
        if parent.size > MAX_NODES:
            message = f"expands to more than {MAX_NODES} values"
            raise self.fault(event, message, "use fewer aliases, or a smaller file")
        return node

    def alias(self, event: Any) -> Node:
        if event.anchor not in self.anchors:
            raise self.fault(event, f"no anchor &{event.anchor} before this", "define it first")
        return self.anchors[event.anchor]

    def place(self, event: Any) -> Place:
        return Place(self.origin, event.start_mark.line + 1, event.start_mark.column + 1)

    def fault(self, event: Any, message: str, cure: str) -> FaultError:
        return FaultError(Fault(place=str(self.place(event)), message=message, cure=cure))

    @staticmethod
    def _line(node: Node) -> int:
        return node.key_place.line if node.key_place else node.place.line


_INT = re.compile(r"[-+]?[0-9]+")
_OCT = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INF = re.compile(r"[-+]?\.(inf|Inf|INF)")
_WORDS: Mapping[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def read_scalar(text: str) -> Scalar:
    """Read an unquoted scalar by the core schema of YAML 1.2.

    Raises:
        ValueError: the number has more digits than Python reads.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _OCT.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INF.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text


def read_source(path: FilePath) -> Node:
    """Read an experiment's file, laid over the files that its `base:` names."""
    chain = _chain(path)
    root = chain[-1]
    for layer, upper in enumerate(reversed(chain[:-1]), start=1):
        root = overlay(root, _stamp(upper, layer))
    if not isinstance(root.value, dict):
        raise _not_an_experiment(root)
    return root


def _chain(path: FilePath) -> list[Node]:
    """The file, its base, the base of that, …; each without its `base:`."""
    chain: list[Node] = []
    seen: list[FilePath] = []
    while True:
        if path.resolve() in seen:
            raise _file_fault(str(path), "a circle of base files", "remove one `base:`")
        seen.append(path.resolve())
        node = read_file(path)
        chain.append(node)
        if not isinstance(node.value, dict):
            raise _not_an_experiment(node)
        base = node.value.pop("base", None)
        if base is None:
            return chain
        if not isinstance(base.value, str):
            message = "base is the path of another YAML file"
            raise FaultError(Fault(place=str(base.place), message=message, cure="write a path"))
        path = path.parent / base.value


def _not_an_experiment(node: Node) -> FaultError:
    what = {type(None): "is empty", list: "is a list"}.get(type(node.value), "is a single value")
    cure = "an experiment is a mapping with data, model, loss, optimizer and train"
    return FaultError(Fault(place=str(node.place), message=what, cure=cure))


def _stamp(node: Node, layer: int) -> Node:
    node.layer = layer
    for child in node.children():
        _stamp(child, layer)
    return node


def overlay(lower: Node, upper: Node) -> Node:
    """Lay one node over another: mappings are merged, everything else is replaced.

    `optimizer: sgd` under `optimizer: {lr: 0.1}` counts as `{name: sgd}`.
    """
    if not isinstance(upper.value, dict):
        return upper
    merged = dict(entries(lower))
    for key, node in upper.value.items():
        merged[key] = overlay(merged[key], node) if key in merged else node
    return Node(merged, upper.place, upper.key_place, upper.layer)


def entries(node: Node) -> dict[str, Node]:
    """The entries of a mapping, of a name that stands for one, or none."""
    if isinstance(node.value, dict):
        return node.value
    if isinstance(node.value, str):
        return {"name": Node(node.value, node.place, layer=node.layer)}
    return {}


def without(root: Node, path: Path) -> None:
    """Take the entry at `path` out of its mapping."""
    _, parent, _ = follow(root, path[:-1])
    if not isinstance(parent.value, dict):
        raise config_fault("is not an option", path=path)
    del parent.value[str(path[-1])]


def from_plain(data: Any, place: Place) -> Node:
    """Nodes for data that was not read from YAML; all of it stands at one place."""
    node = Node(data, place, place)
    if isinstance(data, dict):
        node.value = {str(key): from_plain(value, place) for key, value in data.items()}
    elif isinstance(data, list):
        node.value = [from_plain(value, place) for value in data]
    return node
