"""Which arrays are the inputs and the targets, where their names do not tell."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from cnnctl.config.wording import show
from cnnctl.data.arrays.naming import INPUTS, ORDER, TARGETS, BySplit, families_of
from cnnctl.data.arrays.stored import StoredArray
from cnnctl.data.arrays.targets import ArrayTargets
from cnnctl.data.sample_targets import NamedTargets, Task
from cnnctl.data.tables.targets import ClassColumn, LabelColumns, TargetColumns, ValueColumns
from cnnctl.errors import data_fault, nearest
from cnnctl.proposals.document import Setting
from cnnctl.proposals.heads import head_names, with_rare_names
from cnnctl.proposals.special_columns import words_of
from cnnctl.proposals.targets import likely_target, written

ASKED = "named on the command line"
BESIDE = {"id", "ids", "index", "group", "groups", "split", "splits", "subset", "fold"}
"""Words in the names of arrays that tell samples apart, rather than what they show."""


class Chosen(NamedTuple):
    """An array, or what those of splits share, and the reason."""

    name: str
    reason: str


def chosen_inputs(arrays: Mapping[str, StoredArray], *, targets: Collection[str]) -> Chosen | None:
    """The inputs, where their name does not tell; None where it does, or nothing else.

    It is the array with the most numbers for each sample.

    targets: what was named for the targets.
    """
    families = families_of(arrays)
    free = [name for name in families if name not in targets]
    known = sorted((name for name in free if name.lower() in INPUTS), key=_rank(INPUTS))
    if len(known) == 1:
        return None
    if known:
        return Chosen(known[0], f"the most common name among {', '.join(known)}")
    wide = [name for name in free if _is_wide(families[name]) and name.lower() not in TARGETS]
    sizes = {name: prod(_first(families[name]).shape[1:]) for name in wide}
    largest = [name for name, size in sizes.items() if size == max(sizes.values())]
    is_plain = len(largest) == 1
    return Chosen(largest[0], "has the most numbers per sample") if is_plain else None


def chosen_targets(
    arrays: Mapping[str, StoredArray], asked: str | None, *, inputs: str | None, place: str
) -> list[Chosen]:
    """The targets; empty where one name tells, or nothing does.

    asked: names with commas between them; None to choose one.
    inputs: the array of the inputs; None for one that its name tells.

    Raises:
        FaultError: there is no such array, or it is named twice.
    """
    families = families_of(arrays)
    if asked is not None:
        return [Chosen(name, ASKED) for name in _named(asked, [*families, *arrays], place)]
    others = [name for name in families if name != inputs and name.lower() not in INPUTS]
    known = sorted((name for name in others if name.lower() in TARGETS), key=_rank(TARGETS))
    if len(known) == 1:
        return []
    if known:
        return [Chosen(known[0], f"the most common name among {', '.join(known)}")]
    possible = [
        name for name in others if _is_narrow(families[name]) and not words_of(name) & BESIDE
    ]
    return [Chosen(*likely_target(possible, noun="array"))] if possible else []


def heads_for(
    arrays: Mapping[str, StoredArray], chosen: Sequence[Chosen]
) -> dict[str, TargetColumns]:
    """Each of several arrays as a target, by the name of its head.

    Raises:
        FaultError: one is damaged, or holds no targets.
    """
    names = [each.name for each in chosen]
    targets = {name: ArrayTargets.read(_parts(arrays, name)) for name in names}
    kinds = [_kind_of(name, each.found_task()) for name, each in targets.items()]
    named = dict(zip(head_names(names), kinds, strict=True))
    return with_rare_names(named, NamedTargets(targets))


def target_settings(
    kinds: Mapping[str, TargetColumns], chosen: Sequence[Chosen]
) -> Iterator[Setting]:
    """The targets, as a file has them."""
    if kinds:
        plain = {name: written(name, kind) for name, kind in kinds.items()}
        yield Setting("data.targets", plain, chosen[0].reason)
    else:
        yield from (Setting("data.target", each.name, each.reason) for each in chosen)


def _kind_of(name: str, task: Task) -> TargetColumns:
    options: dict[Task, TargetColumns] = {
        "classification": ClassColumn(column=name),
        "multilabel": LabelColumns(column=name),
        "regression": ValueColumns(columns=[name]),
    }
    return options[task]


def _named(asked: str, names: Sequence[str], place: str) -> list[str]:
    found = [asked] if asked in names else [name.strip() for name in asked.split(",")]
    for name in found:
        if name not in names:
            hint = nearest(name, list(dict.fromkeys(names)))
            raise data_fault(f"has no array {show(name)}", hint=hint, place=place)
        if found.count(name) > 1:
            raise data_fault(f"array {show(name)} is named twice", hint="name it once", place=place)
    return found


def _parts(arrays: Mapping[str, StoredArray], name: str) -> list[StoredArray]:
    if name in arrays:
        return [arrays[name]]
    family = families_of(arrays)[name]
    return [family[split] for split in ORDER if split in family]


def _first(family: BySplit) -> StoredArray:
    return next(family[split] for split in ORDER if split in family)


def _is_wide(family: BySplit) -> bool:
    return len(_first(family).shape) > 1 and _first(family).dtype.kind not in "US"


def _is_narrow(family: BySplit) -> bool:
    return len(_first(family).shape) in (1, 2)


def _rank(known: Sequence[str]) -> Any:
    return lambda name: known.index(name.lower())
