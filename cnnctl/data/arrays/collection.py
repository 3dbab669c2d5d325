"""Samples in arrays: their inputs, targets, groups and splits, all parts one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from cnnctl.config.wording import show
from cnnctl.data.arrays.checking import check_numbers, digest_of
from cnnctl.data.arrays.form import ArrayForm
from cnnctl.data.arrays.naming import Part, find_parts
from cnnctl.data.arrays.reading import open_arrays
from cnnctl.data.arrays.stored import StoredArray
from cnnctl.data.arrays.targets import ArrayTargets
from cnnctl.data.records import GivenSplit, split_words
from cnnctl.data.residence import Residence, residence_of
from cnnctl.data.rows import JoinedRows, Rows, SelectedRows, in_memory
from cnnctl.data.sample_source import SampleSource
from cnnctl.data.splits import Positions
from cnnctl.errors import ConfigPath, config_fault, data_fault, nearest


@dataclass(frozen=True, slots=True)
class Collection(SampleSource):
    """The samples of some arrays."""

    parts: Sequence[Part]

    def __len__(self) -> int:
        return sum(len(part.inputs) for part in self.parts)

    @property
    def inputs(self) -> StoredArray:
        """The inputs for training, or of all samples."""
        return self.parts[0].inputs

    def targets(self, name: str) -> ArrayTargets:
        return ArrayTargets.read([part.targets[name] for part in self.parts])

    def given(self) -> list[GivenSplit | None]:
        found: list[GivenSplit | None] = []
        for part in self.parts:
            found += _words(part.given) if part.given else [part.split] * len(part.inputs)
        return found

    def groups(self) -> list[str] | None:
        arrays = [part.group for part in self.parts if part.group is not None]
        if not arrays:
            return None
        groups = [list(map(str, _column(array))) for array in arrays]
        if not any(part.given for part in self.parts):
            _check_apart(groups, arrays)
        return [name for part in groups for name in part]

    def rows(self, form: ArrayForm, positions: Positions) -> Rows:
        """The inputs of these samples, ascending; only their arrays are read.

        Raises:
            FaultError: they do not fit the form, are damaged, or too large for memory.
        """
        chosen = [
            SelectedRows(form.rows(part.inputs), torch.from_numpy(own))
            for part, own in self._with(positions)
        ]
        return JoinedRows(chosen) if len(chosen) > 1 else chosen[0]

    def times(self) -> None:
        return None

    def check(self, rows: Positions) -> None:
        """Raise a FaultError, naming the sample, for inputs that float32 cannot represent."""
        for part, _ in self._with(rows):
            check_numbers(part.inputs, part.inputs.read())

    def identity(self, rows: Positions) -> str:
        self.check(rows)
        identity = sha256()
        for part, _ in self._with(rows):
            for array in (part.inputs, *part.targets.values(), part.group, part.given):
                if array is not None:
                    identity.update(digest_of(array, array.read()).encode())
        return identity.hexdigest()

    def check_form(self, form: ArrayForm) -> None:
        """Raise a FaultError unless all inputs are of this form; they are not read."""
        for part in self.parts:
            form.check(part.inputs)

    def resident(self, rows: Rows, asked: Literal["auto"] | Residence) -> Tensor | Rows:
        """These rows of inputs, mapped or in memory, as is asked for or as their size suggests.

        Raises:
            FaultError: they are to be mapped, but are in an archive.
        """
        is_mapped = all(part.inputs.is_mapped for part in self.parts)
        residence = residence_of(prod(rows.shape) * rows.dtype.itemsize)
        if is_mapped and (residence if asked == "auto" else asked) == "mapped":
            return rows
        if asked == "mapped":
            message = "the arrays of an .npz file cannot be mapped"
            hint = f"unzip {Path(self.inputs.place).name} into a folder, and give that"
            raise config_fault(message, hint=hint, path=("rows",))
        return in_memory(rows).tensor

    def _with(self, positions: Positions) -> list[tuple[Part, Positions]]:
        """The parts that hold these samples, each with their positions in it."""
        ends = list(accumulate(len(part.inputs) for part in self.parts))
        cuts = np.split(positions, np.searchsorted(positions, ends[:-1]))
        starts = (0, *ends)
        zipped = zip(self.parts, cuts, starts, strict=False)
        return [(part, own - start) for part, own, start in zipped if len(own)]


def open_collection(
    path: Path,
    *,
    inputs: str,
    targets: Sequence[tuple[ConfigPath, str]],
    group: str | None,
    split: str | None,
) -> Collection:
    """The samples in the arrays of a file or a folder; see `find_parts` for the names.

    Raises:
        FaultError: there are no such arrays, or they do not belong together.
    """
    place, arrays = str(path), open_arrays(path)
    return Collection(
        find_parts(arrays, place=place, inputs=inputs, targets=targets, group=group, split=split)
    )


def _words(array: StoredArray) -> list[GivenSplit | None]:
    words, known = [str(word).lower() for word in _column(array)], split_words(array.name)
    for at, word in enumerate(words):
        if word not in known:
            hint = nearest(word, [*known])
            raise array.fault(f"is {show(word)}, which is not a split", hint=hint, at=at)
    return [known[word] for word in words]


def _column(array: StoredArray) -> Sequence[object]:
    """One text or number for each sample."""
    values: Sequence[object] = ArrayTargets.read([array]).content.tolist()
    if values and isinstance(values[0], list):
        message = f"has the shape {array.shape}, not (N,)"
        raise array.fault(message, hint="give one for each sample")
    return values


def _check_apart(groups: Sequence[Sequence[str]], arrays: Sequence[StoredArray]) -> None:
    """Raise a FaultError for a group in two parts."""
    for at, earlier in enumerate(groups):
        for other, later in zip(arrays[at + 1 :], groups[at + 1 :], strict=True):
            if both := sorted(set(earlier) & set(later)):
                message = f"group {show(both[0])} is in both {arrays[at].name} and {other.name}"
                hint = "move its samples to one split"
                raise data_fault(message, hint=hint, place=other.place)
