"""Every kind there is, as facts and as tables; all of it from the classes themselves."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import MaxLen, MinLen
from pydantic.fields import FieldInfo
from rich.table import Table

from cnnctl import experiment as _experiment  # declares every kind
from cnnctl.config.choice import Choice, Spec
from cnnctl.errors import Fault, FaultError, nearest

del _experiment

Facts = dict[str, Any]
_WORDS = {int: "integer", float: "number", bool: "true | false", str: "text", type(None): "null"}


def find(family: str, kind: str = "") -> type[Choice]:
    """The class of a family, or of one of its kinds.

    Raises:
        FaultError: there is none of this name.
    """
    chosen = Choice.families.get(family)
    if chosen is None:
        cure = _families_with(family) or nearest(family, list(Choice.families))
        raise FaultError(Fault(message=f"no family is named {family}", cure=cure))
    if not kind:
        return chosen
    if kind not in chosen.kinds:
        cure = nearest(kind, sorted(chosen.kinds))
        raise FaultError(Fault(message=f"no {chosen.noun()} is named {kind}", cure=cure))
    return chosen.kinds[kind]


def _families_with(kind: str) -> str:
    """The commands that show a kind whose family was left out."""
    commands = [
        f"cnnctl list {family} {kind}"
        for family, members in Choice.families.items()
        if kind in members.kinds
    ]
    return f"write {' or '.join(commands)}" if commands else ""


def describe_family(family: type[Choice]) -> list[Facts]:
    """Every kind: its name, what it is, and how it may be written."""
    return [
        {"kind": kind, "about": about(member), "example": example(member)}
        for kind, member in family.kinds.items()
    ]


def describe_kind(kind: type[Choice]) -> Facts:
    """One kind: what it is, and every option with type, default and help."""
    return {
        "kind": kind.kind,
        "family": kind.family,
        "about": about(kind),
        "details": details(kind),
        "short": kind.short or None,
        "example": example(kind),
        "options": [describe_option(*entry) for entry in _own_first(kind)],
    }


def _own_first(kind: type[Choice]) -> list[tuple[str, FieldInfo]]:
    """A kind's own options as they were declared, then those that others have too."""
    fields = kind.fields()
    own = [name for name in kind.__annotations__ if name in fields]
    return [(name, fields[name]) for name in dict.fromkeys([*own, *fields])]


def describe_option(name: str, info: FieldInfo) -> Facts:
    """One option: its name, type, default and help; no `default` where it must be given."""
    facts: Facts = {"name": name, "type": type_name(info.annotation), "about": _line(info)}
    if not info.is_required():
        facts["default"] = written(info.get_default(call_default_factory=True))
    return facts


def _line(info: FieldInfo) -> str:
    return " ".join((info.description or "").split())


def about(kind: type[Choice]) -> str:
    """The first line of a class's docstring."""
    return (inspect.getdoc(kind) or "").split("\n")[0]


def details(kind: type[Choice]) -> str:
    """The rest of a class's docstring, a line for each paragraph; empty where there is none."""
    rest = (inspect.getdoc(kind) or "").partition("\n")[2]
    return "\n".join(" ".join(part.split()) for part in rest.strip().split("\n\n"))


def example(kind: type[Choice]) -> str:
    """The shortest way to write a kind."""
    required = [name for name, info in kind.model_fields.items() if info.is_required()]
    if kind.stands_alone():
        return f"- {kind.kind}" if kind.item else kind.kind
    if kind.item and set(required) <= {kind.short}:
        return f"- {kind.kind}: {kind.short.upper()}"
    options = ", ".join(f"{name}: …" for name in required)
    return f"- {kind.kind}: {{{options}}}" if kind.item else f"{{name: {kind.kind}, {options}}}"


def written(value: Any) -> Any:
    """A default as it would stand in a file."""
    if isinstance(value, Choice):
        options = value.options()
        changed = {k: v for k, v in options.items() if k in value.model_fields_set}
        return value.written() if changed else value.kind
    if isinstance(value, Spec):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple) else value


def type_name(annotation: Any) -> str:
    """A field's type in the words of a configuration: `integer | [integer, integer]`."""
    return " | ".join(dict.fromkeys(_alternatives(annotation)))


def _alternatives(annotation: Any) -> Iterable[str]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return [name for part in arguments for name in _alternatives(part)]
    if origin is Literal:
        return [str(value) for value in arguments]
    if origin is Annotated:
        return _sized(arguments[0], arguments[1:]) or _alternatives(arguments[0])
    if origin is tuple:
        words = ["…" if part is Ellipsis else type_name(part) for part in arguments]
        return [f"[{', '.join(words)}]"]
    if origin is dict:
        return [f"mapping of names to {type_name(arguments[1])}"]
    if origin is list:
        return [f"list of {type_name(arguments[0])}"]
    if isinstance(annotation, type) and issubclass(annotation, Choice):
        return [annotation.noun()]
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return [f"{{{', '.join(annotation.model_fields)}}}"]
    return [_WORDS.get(annotation, str(annotation))]


def _sized(annotation: Any, metadata: Iterable[Any]) -> list[str]:
    """`[integer, integer]` for a list that must have two; nothing if its length is free."""
    fields = (data for data in metadata if isinstance(data, FieldInfo))
    bounds = [bound for field in fields for bound in field.metadata]
    least = {bound.min_length for bound in bounds if isinstance(bound, MinLen)}
    most = {bound.max_length for bound in bounds if isinstance(bound, MaxLen)}
    if get_origin(annotation) is not tuple or least != most or not least:
        return []
    return [f"[{', '.join([type_name(get_args(annotation)[0])] * least.pop())}]"]


def render_family(family: type[Choice]) -> Table:
    """A table of a family's kinds."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in (family.noun(), "what it is", "written"):
        table.add_column(column, overflow="fold")
    for facts in describe_family(family):
        table.add_row(f"[cyan]{facts['kind']}", facts["about"], _plain(facts["example"]))
    return table


def render_kind(kind: type[Choice]) -> Table:
    """A table of a kind's options."""
    facts = describe_kind(kind)
    short = f"   short form fills {kind.short}" if kind.short else ""
    lines = [
        f"[bold cyan]{kind.kind}[/]: {_plain(facts['about'])}",
        *_plain(facts["details"]).splitlines(),
        f"{_plain(facts['example'])}{short}",
    ]
    title = "\n".join(lines)
    table = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left")
    table.title_style = ""
    for column in ("option", "type", "default", "help"):
        table.add_column(column, overflow="fold")
    for option in facts["options"]:
        default = _shown(option["default"]) if "default" in option else "[yellow]required"
        table.add_row(option["name"], _plain(option["type"]), default, _plain(option["about"]))
    return table


def _shown(value: Any) -> str:
    words = {True: "true", False: "false", None: "null"}
    return words[value] if isinstance(value, bool | None) else _plain(str(value))


def _plain(text: str) -> str:
    """Text in which rich sees no markup."""
    return text.replace("[", r"\[")
