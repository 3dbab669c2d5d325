"""The paths in an experiment's file, which are relative to it, made to hold from everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cnnctl.config.choice import Choice
from cnnctl.config.nodes import Node
from cnnctl.config.overrides import COMMAND_LINE
from cnnctl.data.dataset import DataSet
from cnnctl.data.paths import path_options
from cnnctl.data.shards.elsewhere import is_address
from cnnctl.errors import closest, config_fault, did_you_mean
from cnnctl.experiment.distill import TeacherSource
from cnnctl.model.weights import DEFAULT
from cnnctl.paths import current_folder, is_file


def place_paths(source: Node) -> None:
    """Make the paths of data, initial weights and teachers absolute.

    Raises:
        FaultError: there is no such weights file.
    """
    _place_data(source)
    _place_weights(source)
    for path in _teacher_paths(source):
        if path.value != DEFAULT:
            path.value = absolute(path)


def absolute(node: Node) -> str:
    """An absolute path; the paths in a file are relative to its folder."""
    is_typed = node.layer == COMMAND_LINE
    folder = Path() if is_typed else Path(node.place.origin).parent
    return str(current_folder() / folder / str(node.value))


def _place_data(source: Node) -> None:
    data = source.child("data")
    name = data.child("name") if data else None
    kind = DataSet.kinds.get(str(name.value)) if name else None
    for path in _paths_in(data, kind) if data else ():
        if not is_address(str(path.value)):
            path.value = absolute(path)


def _paths_in(options: Node, kind: type[Choice] | None) -> Iterator[Node]:
    """The paths among the options of a kind."""
    for option in path_options(kind) if kind else ():
        node: Node | None = options
        for step in option:
            node = node.child(step) if node else None
        if node and isinstance(node.value, str) and node.value:
            yield node


def _teacher_paths(source: Node) -> Iterator[Node]:
    """The paths of teachers, in any of the forms in which one is written."""
    section = source.child("distill")
    given = section.child("teacher") if section else None
    if given is None:
        return
    for teacher in given.children() if isinstance(given.value, list) else [given]:
        if isinstance(teacher.value, str) and teacher.value:
            yield teacher
        elif isinstance(teacher.value, dict) and len(teacher.value) == 1:
            [(name, options)] = teacher.value.items()
            kind = TeacherSource.kinds.get(name)
            is_path = kind is not None and (kind.short,) in path_options(kind)
            if is_path and isinstance(options.value, str) and options.value:
                yield options
            yield from _paths_in(options, kind)


def _place_weights(source: Node) -> None:
    model = source.child("model")
    node = model.child("weights") if model else None
    if node and isinstance(node.value, str) and node.value not in (DEFAULT, "none"):
        written, node.value = node.value, absolute(node)
        if not is_file(Path(node.value)):
            message = f"no such file: {written}"
            close = did_you_mean(closest(written, (DEFAULT, "none")))
            hint = close or "give a weights file, or leave it out"
            raise config_fault(message, hint=hint, path=("model", "weights"))
