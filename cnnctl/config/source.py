"""An experiment's text -> nodes: its file, merged over its `base:` files."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path as FilePath

from cnnctl.config.nodes import Node, Place, from_plain, homeward, locate, without_lines
from cnnctl.config.parsing import parse
from cnnctl.errors import Fault, FaultError, closest, did_you_mean
from cnnctl.paths import identity, is_folder
from cnnctl.storage import read_file_or_pipe

__all__ = [
    "Node",
    "Place",
    "Text",
    "from_plain",
    "homeward",
    "locate",
    "parse",
    "parse_source",
    "read_file",
    "read_source",
]

MAX_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Text:
    """The text of an experiment without a file; its paths start in the current folder."""

    content: str
    origin: str = "<string>"
    """What messages call it."""
    has_lines: bool = True
    """Whether messages name lines and columns, as of text that somebody wrote."""

    def parsed(self) -> Node:
        """Its nodes, merged over those of its `base:` files.

        Raises:
            FaultError: as `read_source`.
        """
        root = parse_source(self.content, FilePath(self.origin))
        return root if self.has_lines else without_lines(root, self.origin)


def read_file(path: FilePath, *, layer: int = 0) -> Node:
    """Read one YAML file.

    Raises:
        FaultError: it is not a readable text file, or not YAML.
    """
    return parse(read_text(path), origin=str(path), layer=layer)


def read_text(path: FilePath, *, names: Iterable[str] = ()) -> str:
    """The text of a YAML file or of a pipe, which can be read only once.

    If the file does not exist, similar `names` are suggested, too.

    Raises:
        FaultError: it is not readable text, or longer than `MAX_BYTES`.
    """
    try:
        return _read_bytes(path, names).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _fault(str(path), "is not a text file", "save it as YAML, in UTF-8") from None


def _read_bytes(path: FilePath, names: Iterable[str]) -> bytes:
    try:
        return read_file_or_pipe(path, limit=MAX_BYTES)
    except FileNotFoundError:
        raise _fault(str(path), "no such file", _similar(path, names)) from None
    except IsADirectoryError:
        raise _fault(str(path), "is a folder, not a file", "give a YAML file in it") from None
    except OSError as error:
        if error.errno == errno.EFBIG:
            hint = f"a configuration has at most {MAX_BYTES // 1024} KiB"
            raise _fault(str(path), "is too large", hint) from None
        hint = "check the path and its permissions"
        raise _fault(str(path), f"cannot be read: {error.strerror}", hint) from None


def _fault(place: str | Place, message: str, hint: str) -> FaultError:
    return FaultError(Fault(place=str(place), message=message, hint=hint))


def _similar(path: FilePath, names: Iterable[str]) -> str:
    files = path.parent.glob("*.y*ml") if is_folder(path.parent) else ()
    there = {name: name for name in names} | {file.stem: str(file) for file in files}
    close = [there[stem] for stem in closest(path.stem, there)]
    return did_you_mean(close) or "check the path"


def read_source(path: FilePath) -> Node:
    """Read an experiment's file, merged over its `base:` files.

    Raises:
        FaultError: one of them cannot be read, is not a mapping, or they form a cycle.
    """
    return parse_source(read_text(path), path)


def parse_source(text: str, path: FilePath) -> Node:
    """The text of an experiment's file, merged over its `base:` files.

    Raises:
        FaultError: as `read_source`.
    """
    *uppers, root = _chain(text, path)
    for upper in reversed(uppers):
        root = overlay(root, upper)
    return root


def _chain(text: str, path: FilePath) -> list[Node]:
    """The file, its base, the base of that, …; each without its `base:`."""
    chain = [_experiment(text, path, layer=0)]
    seen = [_identity(path)]
    while base := _take_base(chain[-1]):
        path = path.parent / str(base.value)
        if _identity(path) in seen:
            raise _fault(base.place, "the base files form a cycle", "remove one `base:`")
        seen.append(_identity(path))
        chain.append(_read_base(path, named_at=base.place, layer=-len(chain)))
    return chain


def _identity(path: FilePath) -> object:
    try:
        return identity(path)
    except (OSError, ValueError):  # reading it will report the error
        return path


def _take_base(node: Node) -> Node | None:
    """Remove and return the `base:` of a file."""
    base = node.value.pop("base", None) if isinstance(node.value, dict) else None
    if base and not isinstance(base.value, str):
        message = "base must be the path of another YAML file"
        raise _fault(base.place, message, "write a path relative to this file")
    return base


def _read_base(path: FilePath, *, named_at: Place, layer: int) -> Node:
    """Read a base file; if that fails, the fault is in the file that names it."""
    try:
        return _experiment(read_text(path), path, layer=layer)
    except FaultError as error:
        [fault] = error.faults
        if fault.place != str(path):
            raise
        raise _fault(named_at, f"base: {path}: {fault.message}", fault.hint) from None


def _experiment(text: str, path: FilePath, *, layer: int) -> Node:
    node = parse(text, origin=str(path), layer=layer)
    if not isinstance(node.value, dict):
        what = {type(None): "is empty", list: "is a list"}
        message = what.get(type(node.value), "is a single value")
        hint = "an experiment is a mapping with data, model, loss, optimizer and train"
        raise _fault(node.place, message, hint)
    return node


def overlay(lower: Node, upper: Node) -> Node:
    """Merge one node over another: mappings are merged, everything else is replaced.

    `optimizer: sgd` under `optimizer: {lr: 0.1}` counts as `{name: sgd}`.
    """
    if not isinstance(upper.value, dict):
        return upper
    merged = dict(entries(lower))
    for key, node in upper.value.items():
        merged[key] = overlay(merged[key], node) if key in merged else node
    return Node(merged, upper.place, upper.key_place, upper.layer)


def entries(node: Node) -> dict[str, Node]:
    """The entries of a mapping or of a name in short form; otherwise none."""
    if isinstance(node.value, dict):
        return node.value
    if isinstance(node.value, str):
        return {"name": Node(node.value, node.place, layer=node.layer)}
    return {}
