"""The JSON schema of a spec, complete for every kind of every family.

A reference to a family is resolved here, once all kinds are declared; each kind has one
definition, which covers all the forms it may be written in.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from cnnctl.config.choice import Choice, Spec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(
    root: type[Spec], *, title: str, apart: Collection[str] = ("zoo",)
) -> dict[str, Any]:
    """The schema of a file that contains `root`, with a definition for every kind it can contain.

    Families in `apart` have their own form, which `root` describes.
    """
    definitions: dict[str, Any] = {}
    top = _flatten(root.model_json_schema(), definitions)
    for family in Choice.families.values():
        if family.family in apart:
            continue
        definitions[family.family] = _member_of(family, definitions)
    return {
        "$schema": DIALECT,
        "title": title,
        "if": {"required": ["base"]},
        "then": _over_a_base(top),
        "else": top,
        "$defs": dict(sorted(definitions.items())),
    }


def _over_a_base(top: dict[str, Any]) -> dict[str, Any]:
    """A file with `base:`, where any part may be missing, since the base may contain it."""
    base = {"type": "string", "description": "YAML file that this one extends."}
    helps = {
        name: {key: value for key, value in section.items() if key == "description"}
        for name, section in top["properties"].items()
    }
    return {
        "type": "object",
        "properties": {"base": base, **helps},
        "required": ["base"],
        "additionalProperties": False,
    }


def _flatten(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Move pydantic's nested definitions to the top and point families at theirs."""
    for name, inner in schema.pop("$defs", {}).items():
        definitions[name] = _point(inner)
    return dict(_point(schema))


def _point(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_point(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$family" in schema:
        kept = {key: schema[key] for key in ("description", "default") if key in schema}
        return {"$ref": f"#/$defs/{schema['$family']}", **kept}
    # titles repeat the names of fields and clutter an editor's hints
    return {k: _point(v) for k, v in schema.items() if not (k == "title" and isinstance(v, str))}


def _member_of(family: type[Choice], definitions: dict[str, Any]) -> dict[str, Any]:
    """A member by its name alone, or with options.

    The conditions select one form, so an editor marks the mistake and not the whole value.
    """
    for kind, member in family.kinds.items():
        options = _flatten(member.model_json_schema(), definitions)
        form = _item_form if family.item else _section_form
        definitions[f"{family.family}.{kind}"] = form(member, options)
    alone = [kind for kind, member in family.kinds.items() if member.stands_alone()]
    with_options = _item(family) if family.item else _section(family)
    return {"if": {"type": "string"}, "then": {"enum": alone}, "else": with_options}


def _section(family: type[Choice]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"enum": list(family.kinds)}},
        "required": ["name"],
        "allOf": [
            {
                "if": {"properties": {"name": {"const": kind}}, "required": ["name"]},
                "then": {"$ref": f"#/$defs/{family.family}.{kind}"},
            }
            for kind in family.kinds
        ],
    }


def _item(family: type[Choice]) -> dict[str, Any]:
    return {
        "type": "object",
        "propertyNames": {"enum": list(family.kinds)},
        "minProperties": 1,
        "maxProperties": 1,
        "allOf": [
            {"if": {"required": [kind]}, "then": {"$ref": f"#/$defs/{family.family}.{kind}"}}
            for kind in family.kinds
        ],
    }


def _section_form(member: type[Choice], options: dict[str, Any]) -> dict[str, Any]:
    properties = {"name": {"const": member.kind}, **options.get("properties", {})}
    required = ["name", *options.get("required", [])]
    return {**options, "properties": properties, "required": required}


def _item_form(member: type[Choice], options: dict[str, Any]) -> dict[str, Any]:
    forms: list[dict[str, Any]] = []
    if member.short:
        forms.append(options["properties"][member.short])
    if member.stands_alone():
        forms.append({"type": "null"})
    written: dict[str, Any] = {"if": {"type": "object"}, "then": options}
    written["else"] = {"anyOf": forms} if forms else False
    return {
        "type": "object",
        "description": options.get("description", ""),
        "properties": {member.kind: written},
        "required": [member.kind],
    }
