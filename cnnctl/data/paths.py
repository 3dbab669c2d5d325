"""Paths among the options of a data set."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.fields import FieldInfo


class FromItsFile:
    """Marks an option as a path, relative to the file that it is written in."""


DataPath = Annotated[str, Field(min_length=1), FromItsFile()]
"""A file or a folder; once an experiment is read, it holds from every folder."""


def is_path(option: FieldInfo) -> bool:
    """Whether an option is a `DataPath`."""
    return any(isinstance(mark, FromItsFile) for mark in option.metadata)
