"""Which of the arrays in a file are inputs, and which are targets, by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from cnnctl.config.wording import show
from cnnctl.data.arrays.stored import StoredArray
from cnnctl.data.records import SPLIT_WORDS, GivenSplit
from cnnctl.errors import ConfigPath, FaultError, config_fault, data_fault, nearest

AUTO = "auto"
INPUTS = ("x", "inputs", "images", "data", "signals", "features", "arr_0")
"""Names of arrays of inputs, in any case; the last is NumPy's own for the first array."""
TARGETS = ("y", "labels", "targets", "label", "target", "arr_1")
ORDER: tuple[GivenSplit | None, ...] = (None, "train", "validation", "test")
_WORD = "|".join(SPLIT_WORDS)
_ENDING = re.compile(rf"(.+?)[_.-]({_WORD})", re.IGNORECASE)
_BEGINNING = re.compile(rf"({_WORD})[_.-](.+)", re.IGNORECASE)

Arrays = Mapping[str, StoredArray]
BySplit = dict[GivenSplit | None, StoredArray]
"""The arrays of each split, or under None that of all samples."""


@dataclass(frozen=True, slots=True)
class Part:
    """The arrays of one split, or of all samples."""

    split: GivenSplit | None
    inputs: StoredArray
    targets: Mapping[str, StoredArray]
    """By the requested name."""
    group: StoredArray | None = None
    given: StoredArray | None = None
    """The split of each sample, where an array says it."""


def find_parts(
    arrays: Arrays,
    *,
    place: str,
    inputs: str,
    targets: Sequence[tuple[ConfigPath, str]],
    group: str | None,
    split: str | None,
) -> list[Part]:
    """The arrays of each split, in the order train, validation, test; or one part of all samples.

    An option names an array, or what arrays such as `x_train` and `x_test` have in common; `auto`
    takes known names.

    targets: names of arrays of targets, each with the path of the option that names it.

    Raises:
        FaultError: there is no such array, or more than one that may be meant; they do not belong
            together; or their lengths differ.
    """
    named = partial(find, arrays, place=place)
    own = named(inputs, INPUTS, path=("inputs",))
    wanted = {name: named(name, TARGETS, path=path) for path, name in targets}
    groups = None if group is None else named(group, (), path=("group",))
    splits = None if split is None else named(split, (), path=("split",))
    roles = (("inputs", own), *(("target", each) for each in wanted.values()))
    for option, found in (*roles, ("group", groups), ("split", splits)):
        if found is not None:
            _check_splits(found, own, option, place)
    parts = [
        Part(
            each,
            own[each],
            {name: found[each] for name, found in wanted.items()},
            None if groups is None else groups[each],
            None if splits is None else splits[each],
        )
        for each in ORDER
        if each in own
    ]
    for part in parts:
        _check_lengths(part)
    return parts


def shared_name(name: str) -> str:
    """What the names of the arrays of all splits have in common: `x` for `x_train`."""
    return _parsed(name)[0]


def inputs_in(arrays: Arrays, name: str) -> list[StoredArray]:
    """The array of this name, or else the only one, or else all that are named as inputs are."""
    if name in arrays or len(arrays) == 1:
        return [arrays.get(name) or next(iter(arrays.values()))]
    return [array for key, array in arrays.items() if _parsed(key)[0].lower() in INPUTS]


def find(
    arrays: Arrays, asked: str, known: Sequence[str], *, path: ConfigPath, place: str
) -> BySplit:
    """The array, or the arrays of each split, that an option names; see `find_parts`."""
    families = families_of(arrays)
    if asked == AUTO:
        asked = _known_name(families, known, str(path[0]), place)
    elif asked in arrays:
        return {None: arrays[asked]}
    if asked not in families:
        hint = nearest(asked, list(dict.fromkeys((*arrays, *families))))
        raise config_fault(f"{place} has no array {show(asked)}", hint=hint, path=path)
    return families[asked]


def families_of(arrays: Arrays) -> dict[str, BySplit]:
    """The arrays by name, those of splits under what their names have in common."""
    families: dict[str, BySplit] = {}
    for name, array in arrays.items():
        base, split = _parsed(name)
        families.setdefault(base, {}).setdefault(split, array)
    return families


def _parsed(name: str) -> tuple[str, GivenSplit | None]:
    """`x_train` as `x` and train, `val_images` as `images` and validation."""
    if ending := _ENDING.fullmatch(name):
        return ending[1], SPLIT_WORDS[ending[2].lower()]
    if beginning := _BEGINNING.fullmatch(name):
        return beginning[2], SPLIT_WORDS[beginning[1].lower()]
    return name, None


def _known_name(
    families: Mapping[str, BySplit], known: Sequence[str], option: str, place: str
) -> str:
    found = [name for name in families if name.lower() in known]
    if len(found) == 1:
        return found[0]
    what, hint = "inputs" if option == "inputs" else "targets", f"name it: data.{option}=NAME"
    if found:
        message = f"has several arrays that may be {what}: {', '.join(found)}"
    else:
        message = f"has no array that is recognised as {what} among {_list(families)}"
        if what == "targets" and len(families) == 1:
            hint = "save the targets with it, named y or labels: one for each sample"
    raise data_fault(message, hint=hint, place=place)


def _check_splits(found: BySplit, inputs: BySplit, option: str, place: str) -> None:
    """Raise a FaultError unless there is one array for all samples, or one for each split."""
    if None in found and len(found) > 1:
        names = ", ".join(array.name for array in found.values())
        message = f"has arrays of all samples as well as of splits: {names}"
        raise data_fault(message, hint=f"name one of them: data.{option}=NAME", place=place)
    lacking = [split for split in ORDER if (split in found) != (split in inputs)]
    if lacking:
        raise _unpaired(found, inputs, lacking[0], option, place)


def _unpaired(
    found: BySplit, inputs: BySplit, split: GivenSplit | None, option: str, place: str
) -> FaultError:
    has, other = (inputs, found) if split in inputs else (found, inputs)
    role = option if split in inputs else "inputs"
    others = ", ".join(array.name for array in other.values())
    message = f"{has[split].name} has no matching array for {role}, only {others}"
    hint = "save one for each split, or for all samples, or name the arrays with data.inputs, …"
    return data_fault(message, hint=hint, place=place)


def _check_lengths(part: Part) -> None:
    for other in (*part.targets.values(), part.group, part.given):
        if other is not None and len(other) != len(part.inputs):
            counts = f"has {len(part.inputs):,} samples, but {other.name} has {len(other):,}"
            raise part.inputs.fault(counts, hint="save them together, one for each sample")


def _list(families: Mapping[str, BySplit], most: int = 10) -> str:
    names = [array.name for found in families.values() for array in found.values()]
    return ", ".join((*map(show, names[:most]), *(["…"] if len(names) > most else [])))
