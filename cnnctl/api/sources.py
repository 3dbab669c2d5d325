"""Sources and overrides as Python has them -> those of the commands."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from cnnctl.config.source import Text
from cnnctl.config.wording import show
from cnnctl.config.writing import dump, inline
from cnnctl.errors import checkpoint_fault, config_fault
from cnnctl.model.zoo import Network
from cnnctl.paths import is_there
from cnnctl.shipped import is_shipped
from cnnctl.sources import is_checkpoint

Config = str | os.PathLike[str] | Mapping[str, Any]
"""YAML text, the path of a YAML file, the name of an experiment or a network, or a mapping."""


@runtime_checkable
class HasFolder(Protocol):
    """A run."""

    @property
    def folder(self) -> Path:
        """Its folder."""


Trained = str | os.PathLike[str] | HasFolder
"""The path of a run folder or a checkpoint, or a run."""
Options = Mapping[str, Any]
"""Options by their dotted paths, or nested mappings of them."""


def config_of(source: Config) -> Path | Text:
    """The text of an experiment, or the path or name of one.

    Text has several lines, or a key and a value: `model: {…}`.

    Raises:
        FaultError: a mapping has values that YAML has not.
    """
    if not isinstance(source, str | os.PathLike | Mapping):
        message = f"{type(source).__name__} is no source"
        raise config_fault(message, hint="give a path, a name, YAML text or a mapping")
    if isinstance(source, Mapping):
        return Text(dump(_plain(source, "")), origin="<mapping>", has_lines=False)
    if isinstance(source, str) and ("\n" in source or ": " in source):
        return Text(source)
    return Path(source)


def checkpoint_of(source: Trained) -> Path:
    """The path of a checkpoint or a run folder.

    Raises:
        FaultError: it does not exist, or is a configuration, which has no weights.
    """
    found = source_of(source)
    if isinstance(found, Path) and is_checkpoint(found):
        return found
    place = found.origin if isinstance(found, Text) else str(found)
    if isinstance(found, Path) and not _is_known(found):
        raise checkpoint_fault(
            "does not exist", hint="give a run folder or a checkpoint", place=place
        )
    hint = "use cnnctl.build for an untrained network, or train it with cnnctl.train"
    message = "is not a run folder or a checkpoint: it has no weights"
    raise checkpoint_fault(message, hint=hint, place=place)


def _is_known(source: Path) -> bool:
    """Whether a path is there, or is a name."""
    return is_there(source) or is_shipped(source) or str(source) in Network.kinds


def source_of(source: Config | Trained) -> Path | Text:
    """The text of an experiment, or the path or name of one, of a run, or of a checkpoint.

    Raises:
        FaultError: as for `config_of`.
    """
    if isinstance(source, HasFolder):
        return source.folder
    return config_of(source)


def check_positive(name: str, number: int | None) -> None:
    """Raise a FaultError for a number that is given, but not at least 1."""
    if number is not None and number < 1:
        raise config_fault(f"{name} is {number}", hint="give 1 or more, or leave it out")


def words_of(*options: Options | None) -> list[str]:
    """Options as overrides on a command line: `train.epochs=3`.

    A mapping is merged into what is there, unless it has a `name`: then it replaces it.

    Raises:
        FaultError: a value that YAML has not.
    """
    return [word for some in options for word in _words(some or {}, "")]


def _words(options: Options, prefix: str) -> Iterator[str]:
    for key, value in options.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and "name" not in value and _are_steps(value):
            yield from _words(value, f"{path}.")
        else:
            yield f"{path}={inline(_plain(value, path))}"


def _are_steps(keys: Iterable[object]) -> bool:
    """Whether keys can be part of a dotted path."""
    return all(str(key) and not set(str(key)) & set(".=") for key in keys)


def _plain(value: Any, path: str) -> Any:
    """A value as YAML has it."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}.{at}") for at, item in enumerate(value)]
    message = f"{path.removeprefix('.')}: {show(type(value).__name__)} is no value of YAML"
    raise config_fault(message, hint="use numbers, texts, lists and mappings")
