"""Nodes -> a validated spec; all faults are reported at once, each with its path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cnnctl.config.choice import UNKNOWN, Choice, Spec, nearest_kind
from cnnctl.config.nodes import Node, Place, follow
from cnnctl.config.wording import describe
from cnnctl.errors import SHOWN, ConfigPath, Fault, FaultError, closest, dotted, nearest

SpecType = TypeVar("SpecType", bound=Spec)


def validate(spec: type[SpecType], root: Node, *, templates: Collection[str] = ()) -> SpecType:
    """Validate nodes as this spec; `templates` are the layer kinds that the text defined.

    An option that the chosen kind lacks is dropped if it comes from a lower source than the kind's
    name: `optimizer.name=adam` on the command line drops the file's `momentum`.

    Raises:
        FaultError: all faults, with paths but without places.
    """
    while True:
        try:
            return spec.model_validate(root.plain())
        except ValidationError as error:
            details = error.errors(include_url=False)
            dropped = [_drop_outranked(root, detail) for detail in details]
            if not any(dropped):
                raise FaultError(*explain(details, Context(root, spec, templates))) from None


def _drop_outranked(root: Node, detail: ErrorDetails) -> bool:
    """Drop an unknown option from a lower source than its kind; returns whether it did."""
    spot = find(root, detail["loc"])
    parent, _ = follow(root, spot.path[:-1])
    if detail["type"] != "extra_forbidden" or not isinstance(parent.value, dict):
        return False
    name = parent.child("name")
    if name is None or spot.node.layer >= name.layer:
        return False
    del parent.value[str(spot.path[-1])]
    return True


class Spot(NamedTuple):
    """Where pydantic found an error, as a position in the nodes."""

    path: ConfigPath
    node: Node
    missing: str | int | None = None
    """The key that the node lacks, for a missing option."""
    union: ConfigPath = ()
    """For an error in a union, the union's path …"""
    branch: str | int = ""
    """… and pydantic's name for the branch."""

    @property
    def is_inside(self) -> bool:
        """Whether the error is in something below a union, not in the value as a whole."""
        return self.branch != "" and _is_below(self.path, self.union)


Found = tuple[Spot, ErrorDetails]
Group = tuple[Spot, list[ErrorDetails]]


def find(root: Node, loc: ConfigPath) -> Spot:
    """Follow pydantic's path, which has the branches of unions but not the kinds of items."""
    spot, is_item = Spot((), root), False
    for position, step in enumerate(loc):
        if is_item and isinstance(spot.node.value, dict) and len(spot.node.value) == 1:
            kind, options = next(iter(spot.node.value.items()))
            spot = spot._replace(path=(*spot.path, kind), node=options)
        below = spot.node.child(step)
        if below is not None:
            is_item = isinstance(spot.node.value, list)
            spot = spot._replace(path=(*spot.path, step), node=below)
        elif position == len(loc) - 1:
            spot = spot._replace(missing=step)
        else:
            spot = spot._replace(union=spot.path, branch=step)
    return spot


class Context(NamedTuple):
    """The input of `explain`."""

    root: Node
    spec: type[Spec]
    templates: Collection[str] = ()


def explain(details: Iterable[ErrorDetails], context: Context) -> list[Fault]:
    """pydantic's errors as faults: one per path, though a union reports each of its branches.

    They are in the order of the text; those that are not shown have no hint.
    """
    groups: dict[tuple[ConfigPath, str], Group] = {}
    found = [(find(context.root, detail["loc"]), detail) for detail in map(_with_length, details)]
    for spot, detail in _of_likeliest_branches(found):
        if detail["type"] == "missing" and spot.missing is not None:
            key = ((*spot.path, spot.missing), "missing")
        else:
            key = (spot.path, detail["type"] if detail["type"] in _WORDED else "")
        groups.setdefault(key, (spot, []))[1].append(detail)
    around = {path[:length] for path, _ in groups for length in range(len(path))}
    told = [group for (path, kind), group in groups.items() if kind or path not in around]
    told.sort(key=lambda group: _place(*group))
    meant = {spot.path: _closest(spot, context) for spot, group in told[:SHOWN] if _is_extra(group)}
    return [
        _fault(spot, group, context, is_shown=index < SHOWN)
        for index, (spot, group) in enumerate(told)
        if not _is_filled(spot, meant, context)
    ]


def _is_extra(group: list[ErrorDetails]) -> bool:
    return group[0]["type"] == "extra_forbidden"


def _closest(spot: Spot, context: Context) -> list[str]:
    return closest(str(spot.path[-1]), _siblings(context.spec, context.root, spot.path))


def _is_filled(spot: Spot, meant: Mapping[ConfigPath, list[str]], context: Context) -> bool:
    """Whether a missing option is there, but misspelt or in its short form."""
    if spot.missing is None:
        return False
    words = {word for path, close in meant.items() if path[:-1] == spot.path for word in close}
    holder = _holder(context.spec, context.root, (*spot.path, spot.missing))
    return bool(words & {spot.missing, *getattr(holder, "written_out", ())})


def _place(spot: Spot, group: list[ErrorDetails]) -> Place:
    """Where a fault is shown: at an unknown key, otherwise at the value."""
    return (spot.node.key_place if _is_extra(group) else None) or spot.node.place


def _of_likeliest_branches(found: list[Found]) -> list[Found]:
    """Of the errors below a union, keep those of the branch with the fewest.

    `[0, x]` has one error as a list of classes, and two as a list of rows.
    """
    counts = Counter((spot.union, spot.branch) for spot, _ in found if spot.is_inside)
    likeliest: dict[ConfigPath, str | int] = {}
    for union, branch in sorted(counts, key=counts.__getitem__):
        likeliest.setdefault(union, branch)
    return [
        (spot, detail)
        for spot, detail in found
        if not spot.is_inside or likeliest[spot.union] == spot.branch
    ]


_WORDED = ("missing", "extra_forbidden")
"""Faults that are reported in addition to others at the same path."""


def _with_length(detail: ErrorDetails) -> ErrorDetails:
    """Report a list as too short where pydantic reports an item as missing."""
    position = detail["loc"][-1] if detail["loc"] else ""
    if detail["type"] != "missing" or isinstance(position, str):
        return detail
    loc, context = detail["loc"][:-1], {"min_length": position + 1}
    return {**detail, "loc": loc, "type": "too_short", "ctx": context}


def _is_below(path: ConfigPath, other: ConfigPath) -> bool:
    return len(path) > len(other) and path[: len(other)] == other


def _fault(spot: Spot, group: list[ErrorDetails], context: Context, *, is_shown: bool) -> Fault:
    """The fault for an error; suggestions are computed only if it is shown."""
    kind = group[0]["type"]
    if kind == "extra_forbidden":
        hint = _meant(str(spot.path[-1]), spot.path, context) if is_shown else ""
        return Fault(message="no such option", hint=hint, path=spot.path, at_key=True)
    if kind == "missing":
        return _missing(spot)
    if kind == UNKNOWN:
        path = (*spot.path, "name") if spot.node.child("name") is not None else spot.path
        hint = _meant_kind(group[0]["ctx"], context) if is_shown else ""
        return Fault(message=group[0]["msg"], hint=hint, path=path)
    message, hint = describe(group)
    if spot.node.formula:
        is_fraction = isinstance(spot.node.value, float)
        hint = "use // to round down, or values that divide evenly" if is_fraction else hint
        message = f"{spot.node.formula}: {message}"
    return Fault(message=message, hint=hint, path=spot.path)


def _meant_kind(unknown: dict[str, Any], context: Context) -> str:
    more = context.templates if unknown["family"].family == "layers" else ()
    return nearest_kind(unknown["family"], unknown["kind"], *more)


def _meant(option: str, path: ConfigPath, context: Context) -> str:
    """Suggestions for an unknown option: the same one elsewhere, or a similar one."""
    root, spec = context.root, context.spec
    places = [place for name, place in _options(spec, root) if name == option and place != path]
    if places:
        return f"did you mean {dotted(min(places, key=len))}?"
    return nearest(option, _siblings(spec, root, path))


def _options(
    spec: type[Spec], node: Node | None, path: ConfigPath = ()
) -> Iterator[tuple[str, ConfigPath]]:
    """Every option of the sections, given their kinds, by its name here and its names in other
    programs; none of list items."""
    yield from ((name, (*path, ours)) for name, ours in spec.elsewhere.items())
    for name, info in spec.model_fields.items():
        yield name, (*path, name)
        below = node.child(name) if node else None
        held = _spec_in(info.annotation)
        if _is_section(held):
            held = held.kinds.get(_kind_named(below), type(info.default))
        if _is_spec(held) and not getattr(held, "item", False):
            yield from _options(held, below, (*path, name))


def _kind_named(node: Node | None) -> str:
    """The kind of a section: `sgd`, or `{name: sgd}`."""
    name = node.child("name") if node else None
    return str((name or node).value) if node else ""


def _missing(spot: Spot) -> Fault:
    """The fault for a missing option."""
    path, node, option = spot.path, spot.node, spot.missing
    if isinstance(node.value, dict):
        return Fault(message="is missing", hint=f"add {option}: …", path=(*path, str(option)))
    kind = node.value or path[-1]
    is_item = any(isinstance(step, int) for step in path[-2:])
    hint = f"- {kind}: {{{option}: …}}" if is_item else f"{{name: {kind}, {option}: …}}"
    return Fault(message=f"{kind} needs {option}", hint=f"write {hint}", path=path)


def _siblings(spec: type[Spec], root: Node, path: ConfigPath) -> list[str]:
    """The known options next to an unknown one."""
    holder = _holder(spec, root, path)
    names = [*holder.model_fields, *holder.written_out] if _is_spec(holder) else []
    return ["name", *names] if _is_section(holder) else names


def _holder(spec: type[Spec], root: Node, path: ConfigPath) -> Any:
    """The type that contains the option at a path."""
    current: Any = spec
    node = root
    for step in path[:-1]:
        current = _below(current, step, node)
        node = node.child(step) or node
    return _member(current, node)


def _below(current: Any, step: str | int, node: Node) -> Any:
    """The type of the value at `step` in a value of type `current`."""
    if _is_spec(current) and issubclass(current, Choice) and current.item and not current.kind:
        return current.kinds.get(step, current) if isinstance(step, str) else current
    current = _member(current, node)
    if _is_spec(current) and step in current.model_fields:
        return _spec_in(current.model_fields[str(step)].annotation)
    return current


def _member(current: Any, node: Node) -> Any:
    """The member of a family that the node names, if it does; otherwise the type itself."""
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
