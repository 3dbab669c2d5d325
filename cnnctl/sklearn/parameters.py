"""Parameters of estimators <-> overrides of an experiment.

`optimizer__lr=0.1` overrides `optimizer.lr`, `model__layers__0__linear=64` the first layer, and
`optimizer="adam"` a whole section.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cnnctl.api.sources import words_of
from cnnctl.config.wording import show
from cnnctl.errors import Fault, FaultError, either, nearest
from cnnctl.vocabulary import paths_of

SECTIONS = (
    *("data", "model", "loss", "distill"),
    *("optimizer", "scheduler", "regularization", "train"),
)
"""Sections of an experiment that are parameters."""
SEPARATOR = "__"


def is_option(name: str) -> bool:
    """Whether a parameter is an option in a section, such as `optimizer__lr`."""
    section, *steps = name.split(SEPARATOR)
    return section in SECTIONS and bool(steps) and all(steps)


def overrides_of(parameters: Mapping[str, Any]) -> list[str]:
    """The overrides that sections and options amount to, whole sections first.

    A section that is None is left to the configuration; see `words_of` for others.

    Raises:
        FaultError: a value that YAML has not.
    """
    sections = {name: parameters[name] for name in SECTIONS if parameters.get(name) is not None}
    names = sorted(filter(is_option, parameters), key=lambda name: name.count(SEPARATOR))
    options = {name.replace(SEPARATOR, "."): parameters[name] for name in names}
    return words_of(sections, options)


def check_names(names: Iterable[str], known: Sequence[str]) -> None:
    """Raise a FaultError unless these parameters are known, or options in a section."""
    faults = [_unknown(name, known) for name in names if name not in known and not is_option(name)]
    if faults:
        raise FaultError(*faults)


def _unknown(name: str, known: Sequence[str]) -> Fault:
    """The fault of a parameter; `lr` is likely meant to be `optimizer__lr`."""
    options = [path.replace(".", SEPARATOR) for path in paths_of(name)]
    hint = f"write {either(options)}" if options else nearest(name, known)
    return Fault(message=f"no parameter is named {show(name)}", hint=hint)
