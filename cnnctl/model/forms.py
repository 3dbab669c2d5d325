"""The JSON schema of a model: layers, templates, a network of the zoo or of torchvision."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from cnnctl.config.choice import Choice, add_helps
from cnnctl.model.layers.torchvision_models import model_names

Schema = dict[str, Any]


def with_short_forms(schema: Schema, kind: type[BaseModel]) -> None:
    """Extend the schema of a model's fields to all the forms in which it can be written.

    The conditions select one form, so an editor marks the mistake and not the whole model.
    """
    properties = schema.pop("properties")
    add_helps(properties, kind)
    shared = {name: part for name, part in properties.items() if name != "layers"}
    forms = {
        "zoo": _of_zoo(shared),
        "torchvision": _of_torchvision(shared),
        "blocks": _with_templates(properties["layers"], shared),
    }
    plain = {"properties": properties, "required": ["layers"], "additionalProperties": False}
    for key in ("additionalProperties", "required"):
        schema.pop(key, None)
    for key, form in reversed(forms.items()):
        plain = {"if": {"required": [key]}, "then": form, "else": plain}
    schema |= {"type": "object", **plain}


def _of_zoo(shared: Schema) -> Schema:
    """A network of the zoo, with its options next to its name."""
    networks = Choice.families["zoo"].kinds
    help_ = "A published network; `cnnctl list zoo` shows all, with their options."
    return {
        "properties": {"zoo": {"enum": sorted(networks), "description": help_}, **shared},
        "allOf": [
            {
                "if": {"properties": {"zoo": {"const": name}}},
                "then": _options_of(network, ("zoo", *shared)),
            }
            for name, network in networks.items()
        ],
    }


def _options_of(network: type[Choice], others: tuple[str, ...]) -> Schema:
    options = network.model_json_schema().get("properties", {})
    for option in options.values():
        option.pop("title", None)
    return {"properties": options, "propertyNames": {"enum": [*others, *options]}}


def _of_torchvision(shared: Schema) -> Schema:
    help_ = "A classification network of torchvision."
    named = {"torchvision": {"enum": model_names(), "description": help_}}
    return {
        "properties": {**named, **shared, "blocks": {"type": "object"}},
        "additionalProperties": False,
    }


def _with_templates(layers: Schema, shared: Schema) -> Schema:
    """A model whose templates are layer kinds, too, with names that a schema cannot know."""
    blocks = {
        "type": "object",
        "description": "Templates: pieces of architecture with parameters, used as layer kinds; "
        "$width is replaced by the parameter, and $width / 16 is computed.",
        "additionalProperties": {
            "type": "object",
            "properties": {
                "parameters": {"type": ["object", "array", "null"]},
                "layers": {"type": "array", "minItems": 1},
            },
            "required": ["layers"],
            "additionalProperties": False,
        },
    }
    used = {"type": ["string", "object"], "maxProperties": 1}
    loose = {**layers, "items": {"anyOf": [layers["items"], used]}}
    return {
        "properties": {**shared, "blocks": blocks, "layers": loose, "heads": {"type": "object"}},
        "required": ["layers"],
        "additionalProperties": False,
    }
