"""Paths among the options of a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args

from pydantic import BaseModel, Field

from cnnctl.errors import ConfigPath


class FromItsFile:
    """Marks an option as a path, relative to the file that it is written in."""


DataPath = Annotated[str, Field(min_length=1), FromItsFile()]
"""A file or a folder; once an experiment is read, it holds from every folder."""


def path_options(spec: type[BaseModel]) -> Iterator[ConfigPath]:
    """Where the options of a spec, and those of specs in it, are a `DataPath`."""
    for name, field in spec.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))  # `DataPath | None` is both
        if any(map(_is_mark, field.metadata)) or any(map(_is_marked, kinds)):
            yield (name,)
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from ((name, *below) for below in path_options(kind))


def _is_mark(metadata: Any) -> bool:
    return isinstance(metadata, FromItsFile)


def _is_marked(kind: Any) -> bool:
    """Whether a type is a `DataPath`."""
    return any(map(_is_mark, getattr(kind, "__metadata__", ())))
