"""Records: what is known of the samples of a source before they are read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.division import check_room, hold_out, latest_split
from cnnctl.data.file_tree import Entry
from cnnctl.data.splits import Positions
from cnnctl.data.tables.cell_targets import BITS
from cnnctl.data.tables.reading import Table
from cnnctl.errors import config_fault

GivenSplit = Literal["train", "validation", "test"]
SPLIT_WORDS: dict[str, GivenSplit] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What the parts of a source are called, in any case."""
FLAGS: dict[GivenSplit, GivenSplit] = {"train": "test", "validation": "train", "test": "train"}
"""Where a column such as `is_train` puts the samples that it says no of, by what it is about."""
TEST_SHARE = 0.15
"""Of a source that has no test split of its own, where none is asked for."""
TEST_SEED = 0
"""The test split is the same for every seed of an experiment, so that their results compare."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table, by its position."""

    table: Table
    at: int


@dataclass(frozen=True, slots=True)
class Record:
    """A sample: its file, what its target is read from, and what decides the split it is in."""

    entry: Entry
    label: str = ""
    """Its class, where folders are classes."""
    split: GivenSplit | None = None
    """The split that the source puts it in, if it does."""
    group: str = ""
    """Samples of one group are never in two splits; empty for all means that there are none."""
    time: float | None = None
    """The latest samples are for testing; None for all means that times do not matter."""
    row: TableRow | None = None
    """Its row, where a table holds the targets."""

    def put_in(self, split: GivenSplit | None) -> Record:
        """The same in this split."""
        return self if self.split == split else replace(self, split=split)


def test_part(
    given: Sequence[GivenSplit | None],
    *,
    test: float | None,
    classes: Positions | None = None,
    labels: NDArray[np.bool_] | None = None,
    groups: Sequence[str] | None = None,
    times: Sequence[float] | None = None,
) -> Positions:
    """Positions of the test split, ascending; the latest ones if times are given.

    given: the split that the source puts each sample in, if it does.
    test: the share to hold out for testing; None for the source's own test split, or 0.15.

    Raises:
        FaultError: there is a test split, and another is asked for; or one side gets nothing, or
            training not one sample of each class.
    """
    count, own = len(given), [at for at, split in enumerate(given) if split == "test"]
    if own and test is not None:
        message = f"the data has a test split of its own, of {len(own):,} samples"
        raise config_fault(message, hint="use auto", path=("test",))
    share = TEST_SHARE if test is None else test
    if own or share == 0 or any(given):
        return np.array(own, dtype=np.int64)
    held_out = round(count * share)
    if not 0 < held_out < count:
        message = f"{share:g} of {count} samples leaves none for testing or for training"
        raise config_fault(message, hint="use a share closer to 0.5, or 0", path=("test",))
    if times is not None:
        return latest_split(times, held_out=held_out)[1]
    if classes is not None and groups is None:
        check_room(classes, held_out=held_out, option="test")
    return hold_out(
        count, held_out=held_out, seed=TEST_SEED, classes=classes, labels=labels, groups=groups
    )[1]


def split_words(column: str) -> dict[str, GivenSplit]:
    """What the cells of a column mean as splits, by their lower case.

    They are names of splits, or in a column such as `is_train` or `isValid`, 0 and 1.
    """
    about = SPLIT_WORDS.get(re.sub(r"^is[\W_]*", "", column.lower()))
    if about is None or column.lower() in SPLIT_WORDS:
        return SPLIT_WORDS
    return SPLIT_WORDS | {word: about if bit else FLAGS[about] for word, bit in BITS.items()}


def numbered(labels: Sequence[str]) -> Positions:
    """Labels as numbers from 0, in the order of their names."""
    numbers = {label: number for number, label in enumerate(sorted(set(labels)))}
    return np.fromiter((numbers[label] for label in labels), np.int64, len(labels))


def groups_of(records: Sequence[Record]) -> list[str] | None:
    """The groups of records; None where there are none."""
    groups = [record.group for record in records]
    return groups if any(groups) else None


def times_of(records: Sequence[Record]) -> list[float] | None:
    """The times of records; None where there are none."""
    times = [record.time for record in records if record.time is not None]
    return times or None


def table_of(records: Sequence[Record]) -> Table:
    """The table that these records, at least one, are rows of."""
    return next(record.row.table for record in records if record.row)


def rows_of(records: Sequence[Record]) -> Table:
    """The rows of their table that these records, at least one, are."""
    rows = [record.row.at for record in records if record.row]
    return table_of(records).take(np.array(rows, dtype=np.int64))


def sizes_digests(records: Sequence[Record]) -> NDArray[np.uint8]:
    """(N, 32) what stands for the content of files that are not read beforehand: their sizes."""
    sizes = (str(record.entry.size).encode() for record in records)
    digests = b"".join(sha256(size).digest() for size in sizes)
    return np.frombuffer(digests, dtype=np.uint8).reshape(len(records), 32)


def content_identity(records: Sequence[Record], digests: NDArray[np.uint8]) -> str:
    """A hash of these files: their names, the splits they are put in, contents and order.

    digests: (N, 32) SHA-256 of each file.
    """
    found = sha256()
    for record, digest in zip(records, digests, strict=True):
        name = f"{record.entry.name}\0{record.split or ''}"
        found.update(name.encode(errors="surrogateescape") + digest.tobytes())
    return found.hexdigest()
