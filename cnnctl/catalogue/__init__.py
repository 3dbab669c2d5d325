"""All kinds and sections of an experiment, as facts from their classes."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import MaxLen, MinLen
from pydantic.fields import FieldInfo

from cnnctl.catalogue.sections import sections
from cnnctl.config.choice import Choice, Spec
from cnnctl.config.helps import field_helps
from cnnctl.errors import Fault, FaultError, nearest
from cnnctl.model.zoo.costs import costs_of
from cnnctl.model.zoo.network import Network
from cnnctl.shipped import CONFIGS, describe, experiments
from cnnctl.vocabulary import FORMATS

Facts = dict[str, Any]
_WORDS = {int: "integer", float: "number", bool: "true | false", str: "string", type(None): "null"}


def find(family: str, kind: str = "") -> type[Spec]:
    """The class of a family, of one of its kinds, or of a section.

    Raises:
        FaultError: there is none of this name.
    """
    chosen = Choice.families.get(family)
    if chosen is None and family in sections() and not kind:
        return sections()[family]
    if chosen is None:
        hint = _families_with(kind or family) or nearest(
            family, [*Choice.families, *sections(), CONFIGS, FORMATS]
        )
        raise FaultError(Fault(message=f"no family or section is named {family}", hint=hint))
    if not kind:
        return chosen
    if kind not in chosen.kinds:
        hint = nearest(kind, sorted(chosen.kinds))
        raise FaultError(Fault(message=f"no {chosen.noun()} is named {kind}", hint=hint))
    return chosen.kinds[kind]


def _families_with(kind: str) -> str:
    """A hint for a kind without its family: the commands that show it."""
    commands = [
        f"cnnctl list {family} {kind}"
        for family, members in Choice.families.items()
        if kind in members.kinds
    ]
    commands += [f"cnnctl list {CONFIGS} {kind}"] if kind in experiments() else []
    return f"write {' or '.join(commands)}" if commands else ""


def describe_all() -> list[Facts]:
    """Every family with its number of kinds, and every section with its number of options."""
    families: list[Facts] = [
        {"family": name, "about": _first_sentence(about(family)), "kinds": len(family.kinds)}
        for name, family in Choice.families.items()
    ]
    return families + [
        {"section": name, "about": about(section), "options": len(section.model_fields)}
        for name, section in sections().items()
    ]


def _first_sentence(text: str) -> str:
    return f"{text.partition('. ')[0].removesuffix('.')}."


def describe_family(family: type[Choice]) -> list[Facts]:
    """Every kind: its name, description and shortest form; for networks, also the cost."""
    return [
        {"kind": kind, "about": about(member), "example": example(member)}
        | (costs_of(kind)._asdict() if issubclass(member, Network) else {})
        for kind, member in family.kinds.items()
    ]


def describe_experiment(name: str) -> Facts:
    """One shipped experiment: its description, source, result and duration.

    Raises:
        FaultError: there is none of this name.
    """
    if name not in experiments():
        hint = nearest(name, [*experiments()])
        raise FaultError(Fault(message=f"no shipped experiment is named {name}", hint=hint))
    return dict(describe(name))


def describe_section(section: type[Spec]) -> Facts:
    """One section: its description, and every option with type, default and help."""
    helps = field_helps(section)
    return {
        "section": next(name for name, member in sections().items() if member is section),
        "about": about(section),
        "details": details(section),
        "options": [
            describe_option(option, info, help=helps.get(option, ""))
            for option, info in section.model_fields.items()
        ],
    }


def describe_kind(kind: type[Choice]) -> Facts:
    """One kind: its description, and every option with type, default and help."""
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
    """A kind's own options in the order of declaration, then those shared with others."""
    fields = kind.fields()
    own = [name for name in kind.__annotations__ if name in fields]
    return [(name, fields[name]) for name in dict.fromkeys([*own, *fields])]


def describe_option(name: str, info: FieldInfo, *, help: str = "") -> Facts:
    """One option: its name, type, default and help; no `default` if it is required."""
    about = " ".join((help or info.description or "").split())
    facts: Facts = {"name": name, "type": type_name(info.annotation), "about": about}
    if not info.is_required():
        facts["default"] = written(info.get_default(call_default_factory=True))
    return facts


def about(kind: type[Spec]) -> str:
    """The first line of a class's docstring."""
    return (inspect.getdoc(kind) or "").split("\n")[0]


def details(kind: type[Spec]) -> str:
    """The rest of a class's docstring, one line per paragraph; empty if there is none."""
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
    """A default, as written in a file."""
    if isinstance(value, Choice):
        options = value.options()
        changed = {k: v for k, v in options.items() if k in value.model_fields_set}
        return value.written() if changed else value.kind
    if isinstance(value, Spec):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple) else value


def type_name(annotation: Any) -> str:
    """A field's type in terms of YAML: `integer | [integer, integer]`."""
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
    if origin in (dict, Mapping):
        return [f"mapping of names to {type_name(arguments[1])}"]
    if origin is list:
        return [f"list of {type_name(arguments[0])}"]
    if isinstance(annotation, type) and issubclass(annotation, Choice):
        return [annotation.noun()]
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return [f"{{{', '.join(annotation.model_fields)}}}"]
    return [_WORDS.get(annotation, str(annotation))]


def _sized(annotation: Any, metadata: Iterable[Any]) -> list[str]:
    """`[integer, integer]` for a list of exactly two; empty if its length is not fixed."""
    fields = (data for data in metadata if isinstance(data, FieldInfo))
    bounds = [bound for field in fields for bound in field.metadata]
    least = {bound.min_length for bound in bounds if isinstance(bound, MinLen)}
    most = {bound.max_length for bound in bounds if isinstance(bound, MaxLen)}
    if get_origin(annotation) is not tuple or least != most or not least:
        return []
    return [f"[{', '.join([type_name(get_args(annotation)[0])] * least.pop())}]"]
