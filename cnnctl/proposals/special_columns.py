"""The columns of a table that decide the splits, recognised by their names and cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection

from cnnctl.data.records import GivenSplit, split_words
from cnnctl.data.tables.reading import Table

SPLITS = {"split", "set", "subset", "partition", "dataset", "fold", "usage"}
GROUPS = {
    *("group", "patient", "subject", "participant", "person", "individual", "animal", "lesion"),
    *("case", "user", "owner", "donor", "customer", "client", "household", "farm", "site"),
    *("session", "scene", "video", "recording"),
}
"""Words for what must not be in two splits."""
_WORDS = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")


def split_columns(table: Table, *, beside: Collection[str] = ()) -> list[str]:
    """The columns, other than these, that assign each row to a split, with training among them.

    Those with most splits come first, then those with most rows for training. Of a column of 0 and
    1, such as `is_valid`, half of the rows are for training, or it means something else.
    """
    found = {}
    for name, cells in table.columns.items():
        words = split_words(name)
        is_flag = "0" in words
        if name not in beside and (is_flag or words_of(name) & SPLITS):
            splits = Counter(words.get(cell.lower()) for cell in cells)
            is_most = not is_flag or 2 * splits["train"] >= len(cells)
            if "train" in splits and len(splits) > 1 and None not in splits and is_most:
                found[name] = splits
    return sorted(found, key=lambda name: _worth(found[name]), reverse=True)


def _worth(splits: Counter[GivenSplit | None]) -> tuple[int, bool, int]:
    return len(splits), "test" in splits, splits["train"]


def group_column(table: Table, *, beside: Collection[str]) -> str | None:
    """The column, other than these, that groups samples.

    It has a telling name, and most of its values occur several times.
    """
    for name, cells in table.columns.items():
        distinct = len(set(cells))
        if name not in beside and words_of(name) & GROUPS and 2 < distinct <= len(cells) / 2:
            return name
    return None


def words_of(name: str) -> set[str]:
    """`patientIds` and `patient_ids` have the words patient, ids and id, apart from the whole."""
    words = {name.lower(), *(word.lower() for word in _WORDS.split(name))}
    return words | {word.removesuffix("s") for word in words}
