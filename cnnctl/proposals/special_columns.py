"""The columns of a table that decide the splits, recognised by their names and cells."""

from __future__ import annotations

import re
from collections.abc import Collection

from cnnctl.data.records import SPLIT_WORDS
from cnnctl.data.tables.reading import Table

SPLITS = {"split", "set", "subset", "partition", "dataset", "fold", "usage"}
GROUPS = {
    *("group", "patient", "subject", "participant", "person", "individual", "animal", "lesion"),
    *("case", "user", "customer", "client", "session", "scene", "site", "household"),
}
"""Words for what must not be in two splits."""
_WORDS = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")


def split_column(table: Table) -> str | None:
    """The column that assigns each row to a split, with training among them."""
    for name, cells in table.columns.items():
        found = {SPLIT_WORDS.get(cell.lower()) for cell in set(cells)}
        if words_of(name) & SPLITS and "train" in found and len(found) > 1 and None not in found:
            return name
    return None


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
