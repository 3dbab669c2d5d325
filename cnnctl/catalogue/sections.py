"""The sections of an experiment without kinds, such as `train`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from cnnctl.config.choice import Choice, Spec
from cnnctl.experiment import Experiment


@cache
def sections() -> dict[str, type[Spec]]:
    """Every section by name, in the order of a file; `experiment` is the file itself."""
    found: dict[str, type[Spec]] = {"experiment": Experiment}
    for name, section in _below(Experiment, {Experiment}):
        found.setdefault(name, section)
    return found


def _below(spec: type[Spec], seen: set[type[Spec]]) -> Iterator[tuple[str, type[Spec]]]:
    """The sections in the fields of a spec, recursively, each once."""
    for name, info in spec.model_fields.items():
        for part in specs_in(info.annotation):
            if part in seen:
                continue
            seen.add(part)
            if not issubclass(part, Choice):
                yield name, part
            for member in _members(part):
                yield from _below(member, seen)


def _members(part: type[Spec]) -> list[type[Spec]]:
    """A section itself; for a family, every kind."""
    return [part, *part.kinds.values()] if issubclass(part, Choice) and part.family else [part]


def specs_in(annotation: Any) -> Iterator[type[Spec]]:
    """The specs in a type."""
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        yield annotation
    for part in get_args(annotation):
        yield from specs_in(part)
