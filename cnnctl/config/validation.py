"""Nodes -> a checked spec; every fault at once, in words, each at its path."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cnnctl.config.choice import Choice, Spec
from cnnctl.config.source import Node, follow, without
from cnnctl.errors import Fault, FaultError, Path, nearest

SpecType = TypeVar("SpecType", bound=Spec)


def validate(spec: type[SpecType], root: Node) -> SpecType:
    """Read nodes as this spec.

    An option that the chosen kind does not have falls away when it lies in a lower file than the
    kind's name: `optimizer.name=adam` on the command line drops the file's `momentum`.

    Raises:
        FaultError: everything that is wrong, with paths but without places.
    """
    while True:
        try:
            return spec.model_validate(root.plain())
        except ValidationError as error:
            details = error.errors(include_url=False)
            outranked = [path for path in map(_path_of_extra, details) if _outranked(root, path)]
            if not outranked:
                raise FaultError(*explain(details, root, spec)) from None
            for path in outranked:
                without(root, path)


def _path_of_extra(detail: ErrorDetails) -> Path:
    return detail["loc"] if detail["type"] == "extra_forbidden" else ()


def _outranked(root: Node, loc: Path) -> bool:
    path, node, rest = follow(root, loc)
    if not path or rest:
        return False
    name = follow(root, (*path[:-1], "name"))
    return not name[2] and node.layer < name[1].layer


def explain(details: Iterable[ErrorDetails], root: Node, spec: type[Spec]) -> list[Fault]:
    """pydantic's errors as faults: one for a path, though a union reports each of its branches."""
    by_path: dict[tuple[Path, bool], list[ErrorDetails]] = {}
    for detail in details:
        path, _, rest = follow(root, detail["loc"])
        if detail["type"] == "missing":
            path = (*path, rest[0]) if rest else path
        key = (path, detail["type"] == "extra_forbidden")
        by_path.setdefault(key, []).append(detail)
    return [_fault(path, group, root, spec) for (path, _), group in by_path.items()]


def _fault(path: Path, group: list[ErrorDetails], root: Node, spec: type[Spec]) -> Fault:
    first = group[0]
    kind, context = first["type"], first.get("ctx", {})
    if kind == "extra_forbidden":
        cure = nearest(str(path[-1]), _siblings(spec, root, path))
        return Fault(message="no such option", cure=cure, path=path, at_key=True)
    if kind == "missing":
        cure = f"add {path[-1]}: …"
        return Fault(message="is missing", cure=cure, path=path)
    if "cure" in context:
        return Fault(message=first["msg"], cure=str(context["cure"]), path=path)
    if kind == "value_error":
        return Fault(message=str(context["error"]), path=path)
    wanted = " or ".join(dict.fromkeys(_expected(detail) for detail in group))
    return Fault(
        message=f"{show(first['input'])} is not {wanted}", cure=f"write {wanted}", path=path
    )


def show(value: Any) -> str:
    """A value as it would be written, shortened."""
    words = {True: "true", False: "false", None: "nothing"}
    text = words[value] if isinstance(value, bool | None) else str(value)
    return text if len(text) <= 40 else text[:39] + "…"


_EXPECTED: dict[str, Callable[[dict[str, Any]], str]] = {
    "int_type": lambda _: "a whole number",
    "int_from_float": lambda _: "a whole number",
    "float_type": lambda _: "a number",
    "finite_number": lambda _: "a finite number",
    "bool_type": lambda _: "true or false",
    "string_type": lambda _: "a text",
    "list_type": lambda _: "a list",
    "tuple_type": lambda _: "a list of two",
    "dict_type": lambda _: "a mapping",
    "model_type": lambda _: "a mapping of options",
    "model_attributes_type": lambda _: "a mapping of options",
    "none_required": lambda _: "null",
    "too_long": lambda c: f"a list of at most {c['max_length']}",
    "too_short": lambda c: f"a list of at least {c['min_length']}",
    "literal_error": lambda c: f"one of {c['expected']}" if " " in c["expected"] else c["expected"],
    "greater_than": lambda c: f"a number greater than {c['gt']:g}",
    "greater_than_equal": lambda c: f"a number of at least {c['ge']:g}",
    "less_than": lambda c: f"a number less than {c['lt']:g}",
    "less_than_equal": lambda c: f"a number of at most {c['le']:g}",
    "string_pattern_mismatch": lambda c: f"a text like {c['pattern']}",
}


def _expected(detail: ErrorDetails) -> str:
    words = _EXPECTED.get(detail["type"])
    if words is None:
        return detail["msg"].removeprefix("Input should be ")
    return words(detail.get("ctx", {}))


def _siblings(spec: type[Spec], root: Node, path: Path) -> list[str]:
    """The options that could stand where an unknown one does."""
    current: Any = spec
    node = root
    for step in path[:-1]:
        current = _below(current, step, node)
        node = node.child(step) or node
    current = _member(current, node)
    names = list(current.model_fields) if _is_spec(current) else []
    return ["name", *names] if _is_section(current) else names


def _below(current: Any, step: str | int, node: Node) -> Any:
    """The type of what stands at `step` below something of the type `current`."""
    if _is_spec(current) and issubclass(current, Choice) and current.item and not current.kind:
        return current.kinds.get(step, current) if isinstance(step, str) else current
    current = _member(current, node)
    if _is_spec(current) and step in current.model_fields:
        return _spec_in(current.model_fields[str(step)].annotation)
    return current


def _member(current: Any, node: Node) -> Any:
    """A family's chosen member, where the node says which."""
    name = node.child("name")
    if _is_section(current) and not current.kind and name is not None:
        return current.kinds.get(str(name.value), current)
    return current


def _is_spec(current: Any) -> bool:
    return isinstance(current, type) and issubclass(current, Spec)


def _is_section(current: Any) -> bool:
    return isinstance(current, type) and issubclass(current, Choice) and not current.item


def _spec_in(annotation: Any) -> Any:
    """The spec inside `list[Layer]`, `Warmup | None` and the like."""
    if _is_spec(annotation):
        return annotation
    inner = (_spec_in(part) for part in getattr(annotation, "__args__", ()))
    return next((part for part in inner if part is not None), None)
