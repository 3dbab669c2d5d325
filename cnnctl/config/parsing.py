"""YAML text -> nodes, with the line and column of every key and value.

PyYAML's loaders build objects from tags, read YAML 1.1 (`no` is false, `1e-3` is a string), let
the last of two equal keys win and overflow the stack on deep files. Only its parser is used: its
events are composed into nodes here, checked, and read by the rules of YAML 1.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import yaml
from yaml.reader import ReaderError

from cnnctl.config.nodes import Node, Place, Scalar
from cnnctl.config.scalars import read_scalar
from cnnctl.config.wording import show
from cnnctl.errors import Fault, FaultError

_NO_CHARACTER = re.compile(r"[\x00\ud800-\udc7f\udd00-\udfff]")
"""Characters that escapes can write, but neither file names nor UTF-8 can contain.

The gap is Python's surrogateescape: bytes of a path that are not UTF-8.
"""
_NO_LETTER = re.compile(r"[\x00\ud800-\udfff]")
"""The same for a key, which is not a path."""

MAX_DEPTH = 64
MAX_NODES = 20_000
"""Limit on the keys and values that aliases expand to."""


def parse(text: str, *, origin: str, layer: int = 0) -> Node:
    """Read YAML text into nodes.

    Raises:
        FaultError: it is not YAML, or uses an unsupported feature; with line and column.
    """
    try:
        parser = yaml.SafeLoader(text)
    except ReaderError as error:
        raise _unprintable(text, error, origin) from None
    try:
        return _Composer(parser, origin, layer).document()
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, origin) from None
    except (ValueError, OverflowError):
        # PyYAML does not check escapes beyond Unicode, nor the length of version numbers
        mark = parser.get_mark()
        place = Place(origin, mark.line + 1, mark.column + 1)
        message, hint = "is not YAML: invalid escape", "write the character itself"
        raise _fault(place, message, hint) from None


def _fault(place: Place, message: str, hint: str) -> FaultError:
    return FaultError(Fault(place=str(place), message=message, hint=hint))


def _unprintable(text: str, error: ReaderError, origin: str) -> FaultError:
    before = text[: error.position]
    line, column = before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1
    message = f"contains the character {text[error.position]!r}, which YAML does not allow"
    return _fault(Place(origin, line, column), message, "remove it; files must be YAML in UTF-8")


_CURES = {
    r"'\t'": "indent with spaces; YAML does not allow tabs",
    "mapping values are not allowed": "check the indentation, or quote text that contains ': '",
    "could not find expected ':'": "write `key: value`, with a colon and a space",
    "the indentation matches no line above": "align the line with its siblings",
    "end of stream": "close the quote",
    "<stream end>": "close the bracket",
    "cannot start any token": "quote the text",
}
"""Hints for the most frequent errors of PyYAML."""


def _not_yaml(error: yaml.MarkedYAMLError, origin: str) -> FaultError:
    problem = error.problem or error.context or "it cannot be read"
    if "<block end>" in problem:
        problem = "the indentation matches no line above"
    mark, start = error.problem_mark or error.context_mark, error.context_mark
    if mark and start and start.line < mark.line:
        problem += f", {error.context} that begins at line {start.line + 1}"
    cures = (hint for part, hint in _CURES.items() if part in problem)
    place = Place(origin, mark.line + 1, mark.column + 1) if mark else Place(origin)
    hint = next(cures, "check brackets, quotes and indentation near here")
    return _fault(place, f"is not YAML: {problem}", hint)


class _Composer:
    """Events -> nodes, with limits on depth and on the expansion of aliases."""

    def __init__(self, parser: yaml.SafeLoader, origin: str, layer: int) -> None:
        self.events: Iterator[Any] = iter(parser.get_event, None)
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
            raise self.fault(after, "unexpected second document", "a file has one experiment")
        return root

    def node(self, event: Any, *, depth: int) -> Node:
        node = self.alias(event) if isinstance(event, yaml.AliasEvent) else None
        if depth + (node.height if node else 0) > MAX_DEPTH:
            raise self.fault(event, f"nested deeper than {MAX_DEPTH} levels", "use fewer levels")
        return node or self.new(event, depth)

    def alias(self, event: Any) -> Node:
        if event.anchor not in self.anchors:
            message = f"no anchor &{event.anchor} before this alias"
            raise self.fault(event, message, "put the anchor on a value above, or quote the text")
        return self.anchors[event.anchor]

    def new(self, event: Any, depth: int) -> Node:
        self.refuse_tag(event)
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

    def refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            hint = "remove the tag; quote the value to make it a string"
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise self.fault(event, f"tags are not supported: {show(tag)}", hint)

    def scalar(self, event: Any) -> Scalar:
        is_unquoted = event.implicit[0]
        try:
            return read_scalar(event.value) if is_unquoted else self.text(event)
        except ValueError as error:
            hint = "write it shorter, or quote it if it is a string"
            raise self.fault(event, f"cannot be read: {error}", hint) from None

    def text(self, event: Any, *, refused: re.Pattern[str] = _NO_CHARACTER) -> str:
        text = str(event.value)
        if refused.search(text):
            message = "contains a null character or a lone surrogate (\\0, \\ud800 to \\udfff)"
            raise self.fault(event, message, "write the character itself")
        return text

    def items(self, parent: Node, depth: int) -> list[Node]:
        items: list[Node] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self.below(parent, event, depth))
        return items

    def entries(self, parent: Node, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self.key(event, entries)
            value = self.below(parent, next(self.events), depth)
            # an aliased value has several keys, so the node is copied, but not its content
            entries[key] = replace(value, key_place=self.place(event))
        return entries

    def key(self, event: Any, entries: dict[str, Node]) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            hint = "a list, a mapping or an alias cannot be a key"
            raise self.fault(event, "a key must be a scalar", hint)
        self.refuse_tag(event)
        if event.value == "<<" and event.implicit[0]:
            raise self.fault(
                event, "merge keys are not supported", "use `base: FILE`, or repeat the options"
            )
        key = self.text(event, refused=_NO_LETTER)
        if key in entries:
            first = entries[key].key_place
            message = f"{key} is given twice, first at line {first.line if first else 0}"
            raise self.fault(event, message, "keep one of them")
        return key

    def below(self, parent: Node, event: Any, depth: int) -> Node:
        """Compose the next child of `parent`, and update the size and height of `parent`."""
        node = self.node(event, depth=depth + 1)
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if parent.size > MAX_NODES:
            message = f"expands to more than {MAX_NODES} values"
            raise self.fault(event, message, "use fewer aliases, or a smaller file")
        return node

    def place(self, event: Any) -> Place:
        return Place(self.origin, event.start_mark.line + 1, event.start_mark.column + 1)

    def fault(self, event: Any, message: str, hint: str) -> FaultError:
        return _fault(self.place(event), message, hint)
