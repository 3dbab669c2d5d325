"""The OpenAPI document of the service, and the same as a page that needs no script."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cnnctl.version import __version__

TEMPLATE = "docs.html"
_PICTURE = {"type": "string", "format": "binary"}
_SHARES = {"type": "object", "additionalProperties": {"type": "number"}}
_ANSWER = {
    "type": "object",
    "description": "What the network answers for an input; with heads, an object of each.",
    "properties": {
        "input": {"type": "string", "description": "Name of the file, `body`, or `[0]`."},
        "class": {"type": "string"},
        "probability": {"type": "number"},
        "probabilities": {**_SHARES, "description": "The most probable first."},
        "labels": {"type": "array", "items": {"type": "string"}},
        "values": {"type": "array", "items": {"type": "number"}},
        "heads": {"type": "object", "additionalProperties": {"type": "object"}},
        "error": {"type": "string", "description": "Why one of several inputs has no answer."},
    },
    "required": ["input"],
}
_ANSWERS = {
    "type": "object",
    "properties": {
        "model": {"type": "string"},
        "answers": {"type": "array", "items": {"$ref": "#/components/schemas/Answer"}},
    },
    "required": ["model", "answers"],
}
_MODELS = {
    "type": "object",
    "properties": {"models": {"type": "array", "items": {"$ref": "#/components/schemas/Model"}}},
}
_MODEL = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "parameters": {"type": "integer"},
        "epoch": {"type": ["integer", "null"]},
        "input": {
            "type": "object",
            "description": "Its `kind` (picture, table, vector, signal, array), sizes and columns.",
        },
        "tasks": {"type": "array", "items": {"type": "object"}},
        "heat_map": {"type": ["string", "null"], "description": "null where POST /explain fails."},
    },
}
_ERROR = {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]}
_REFUSALS = {
    "400": "The multipart body is damaged.",
    "401": "The token is missing or wrong.",
    "404": "No model has this name.",
    "408": "The request does not arrive in time.",
    "413": "The request has too many bytes or inputs.",
    "415": "The content type is unknown.",
    "422": "An input cannot be read; the detail says why.",
    "503": "Too much is waiting; try again after a second.",
}


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cnnctl serve",
            "version": __version__,
            "description": "Answers of neural networks that were trained with cnnctl.",
        },
        "paths": {
            "/predict": {"post": _predict()},
            "/explain": {"post": _explain()},
            "/models": _get("The models, what they take and what they answer.", "Models"),
            "/health": _get("Whether the service answers."),
            "/metrics": _get("Counts and durations in the text format of Prometheus."),
        },
        "components": {
            "schemas": {
                "Answer": _ANSWER,
                "Answers": _ANSWERS,
                "Model": _MODEL,
                "Models": _MODELS,
                "Error": _ERROR,
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _predict() -> dict[str, Any]:
    number = {"type": "integer", "minimum": 1}
    answers = _json("An answer for each input, in their order.", "Answers")
    return {
        "summary": "Answer for pictures, rows of a table or arrays: one or many.",
        "parameters": [
            _model(),
            _parameter("top_k", "Classes in the answer (default: all).", number),
        ],
        "requestBody": _body(has_rows=True),
        "responses": {"200": answers, **_refusals()},
    }


def _explain() -> dict[str, Any]:
    name = {"type": "string"}
    target = _parameter("target", "Class to explain (default: the predicted).", name)
    head = _parameter("head", "Head to explain (default: the first).", name)
    picture = {
        "description": "The picture; the header cnnctl-explained is its class.",
        "content": {"image/png": {"schema": _PICTURE}},
    }
    return {
        "summary": "Draw what a network looked at: a heat map over a picture.",
        "parameters": [_model(), target, head],
        "requestBody": _body(has_rows=False),
        "responses": {"200": picture, **_refusals()},
    }


def _model() -> dict[str, Any]:
    return _parameter("model", "Name of the model (default: the first).", {"type": "string"})


@cache
def page() -> bytes:
    """The document as HTML."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return environment.get_template(TEMPLATE).render(document()).encode()


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _body(*, has_rows: bool) -> dict[str, Any]:
    files = {"type": "array", "items": _PICTURE}
    array = "an array of numbers, or several"
    row = f"A row, as an object from columns to cells, or a list of rows; or {array}."
    return {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"files": files}},
            },
            "image/*": {"schema": _PICTURE},
            "application/json": {
                "schema": {
                    "type": ["object", "array"] if has_rows else "array",
                    "description": row if has_rows else "A picture as an array of numbers.",
                }
            },
        },
    }


def _json(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _refusals() -> dict[str, Any]:
    return {status: _json(description, "Error") for status, description in _REFUSALS.items()}


def _get(summary: str, schema: str = "") -> dict[str, Any]:
    done = _json(summary, schema) if schema else {"description": summary}
    return {"get": {"summary": summary, "responses": {"200": done}}}
