"""Which columns of a table are to be predicted, and as what."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from cnnctl.config.wording import show
from cnnctl.data.tables.inference import task_of
from cnnctl.data.tables.reading import Table
from cnnctl.data.tables.targets import ClassColumn, LabelColumns, TargetColumns, ValueColumns
from cnnctl.errors import data_fault, nearest
from cnnctl.proposals.heads import head_names, with_rare_names

TARGETS = (
    *("target", "label", "class", "y", "outcome", "species", "category", "diagnosis", "dx"),
    *("price", "quality"),
)
"""Usual names of the column to predict, the most telling first."""
SEPARATORS = ("|", ";", ",", " ")
"""Possible separators of labels in a cell, the most reliable first."""
PROSE = (",", " ")
"""Separators that occur in sentences as well, where words may repeat."""


def named_targets(table: Table, target: str, *, taken: Collection[str] = ()) -> list[str]:
    """The columns that `--target` names: one, or several with commas between them.

    taken: columns that cannot be targets, as they decide the splits or name the samples.

    Raises:
        FaultError: the table has no such column, or it is taken.
    """
    columns = list(table.columns)
    names = [target] if target in columns else [name.strip() for name in target.split(",")]
    for name in names:
        if name not in columns:
            hint = nearest(name, columns)
            raise data_fault(f"has no column {show(name)}", hint=hint, place=table.place)
        if name in taken:
            message = f"column {show(name)} names the samples, or decides the splits"
            free = ", ".join(show(other) for other in columns if other not in taken)
            raise data_fault(message, hint=f"choose among {free}", place=table.place)
    if doubled := next((name for name in names if names.count(name) > 1), None):
        message = f"column {show(doubled)} is named twice"
        raise data_fault(message, hint="name it once", place=table.place)
    return names


def possible_names(target: str | None) -> set[str]:
    """The names of columns that `--target` may mean, whichever a table has."""
    return {target, *(name.strip() for name in target.split(","))} if target else set()


def likely_target(names: Sequence[str], *, noun: str = "column") -> tuple[str, str]:
    """The column, or what else is its noun, that is probably to be predicted, and why."""
    if len(names) == 1:
        return names[0], f"the only other {noun}"
    if usual := usual_target(names):
        return usual, "by its name; choose another with --target"
    return names[-1], f"the last {noun}; choose another with --target"


def usual_target(names: Sequence[str]) -> str | None:
    """The column with a usual name for a target."""
    lower = {name.lower(): name for name in reversed(names)}
    return next((lower[name] for name in TARGETS if name in lower), None)


def kinds_of(table: Table, names: Sequence[str]) -> dict[str, TargetColumns]:
    """These columns as targets, by the names of their heads where there are several.

    Raises:
        FaultError: a row lacks one of several targets.
    """
    kinds = [kind_of_target(table, name) for name in names]
    if len(names) == 1:
        return dict(zip(names, kinds, strict=True))
    return with_rare_names(dict(zip(head_names(names), kinds, strict=True)), table)


def kind_of_target(table: Table, name: str) -> TargetColumns:
    """A column as a target: a class, separated labels, or a value."""
    cells = table.cells(name)
    if separator := separator_of(cells.values):
        return LabelColumns(column=name, separator=separator)
    if task_of(cells) == "regression":
        return ValueColumns(columns=[name])
    return ClassColumn(column=name)


def separator_of(cells: Sequence[str]) -> str:
    """What separates the labels in these cells; empty if each is one name or number.

    Names are taken for labels if there are fewer of them than different cells.
    """
    distinct = set(cells)
    for separator in SEPARATORS:
        parts = [cell.split(separator) for cell in distinct if cell]
        labels = {part.strip() for own in parts for part in own}
        is_prose = separator in PROSE and any(len({*own}) < len(own) for own in parts)
        are_few = len(labels) < len(distinct) and any(len(own) > 1 for own in parts)
        if "" not in labels and are_few and not is_prose:
            return separator
    return ""


def options_of(kinds: Mapping[str, TargetColumns]) -> dict[str, Any]:
    """The options of a dataset for these targets, by name; in the short form if there is one."""
    if len(kinds) == 1:
        [(name, kind)] = kinds.items()
        if isinstance(kind, ClassColumn):
            return {"target": name, "task": "classification"}
        if isinstance(kind, ValueColumns):
            return {"target": name, "task": "regression"}
        if isinstance(kind, LabelColumns) and kind.column and kind.separator == ";":
            return {"target": name, "task": "multilabel"}
    return {"targets": dict(kinds)}


def written(name: str, kind: TargetColumns) -> object:
    """A target as a file writes it."""
    given = kind.model_dump(exclude_defaults=True).items()
    plain = {option: value for option, value in given if value not in (name, [name])}
    return {"name": kind.kind, **plain} if plain else kind.kind
