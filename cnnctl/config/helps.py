"""The docstrings below the fields of a class, which serve as their help.

pydantic can read them, too, but only when a class is declared: for 200 kinds that takes 150 ms at
every start, and most commands show no help.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise

from pydantic import BaseModel

Helps = dict[str, str]
"""Field -> docstring."""


def field_helps(kind: type[BaseModel]) -> Helps:
    """The docstrings of all fields of a class, including inherited ones."""
    found: Helps = {}
    for owner in reversed(kind.__mro__):
        if issubclass(owner, BaseModel) and owner is not BaseModel:
            found |= _of_module(owner.__module__).get(owner.__qualname__, {})
    return {name: text for name, text in found.items() if name in kind.model_fields}


@cache
def _of_module(name: str) -> dict[str, Helps]:
    """The helps of every class in a module, by qualified name; empty without source."""
    try:
        text = inspect.getsource(sys.modules[name])
    except (KeyError, OSError, TypeError):
        return {}
    found: dict[str, Helps] = {}
    _visit(ast.parse(text), "", found)
    return found


def _visit(node: ast.AST, prefix: str, found: dict[str, Helps]) -> None:
    """Visit all classes, including those nested in classes and functions."""
    for child in ast.iter_child_nodes(node):
        below = prefix
        if isinstance(child, ast.ClassDef):
            found[prefix + child.name] = _of_body(child.body)
            below = f"{prefix}{child.name}."
        elif isinstance(child, ast.FunctionDef):
            below = f"{prefix}{child.name}.<locals>."
        _visit(child, below, found)


def _of_body(body: list[ast.stmt]) -> Helps:
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
