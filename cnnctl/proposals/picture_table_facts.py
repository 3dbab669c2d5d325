"""Gathers what there is in a table of pictures: the pictures, and what its columns say of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnnctl.config.wording import show
from cnnctl.data.file_tree import LeftOut
from cnnctl.data.files import forget_tree
from cnnctl.data.pictures.decoding import is_picture
from cnnctl.data.records import Record
from cnnctl.data.sources.image_table import ImageTable
from cnnctl.data.tables.files import is_archive
from cnnctl.data.tables.inference import task_of
from cnnctl.data.tables.reading import Table
from cnnctl.data.tables.targets import BITS, LabelColumns
from cnnctl.errors import data_fault, nearest
from cnnctl.proposals.picture_facts import PictureFacts, check_classes, counted_names, looked_at
from cnnctl.proposals.picture_table_search import PictureTable
from cnnctl.proposals.special_columns import group_column, split_column
from cnnctl.proposals.table_facts import TARGETS

SEPARATORS = ("|", ";", ",", " ")
"""What may separate labels in a cell, the surest first."""
CURE = "choose another column with --target"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be predicted, and why."""

    options: dict[str, Any]
    """The options of the data set."""
    reason: str


@dataclass(frozen=True, slots=True)
class TableOfPictures:
    """A table of pictures, and how an experiment sees it."""

    found: PictureTable
    choice: Choice
    split: str | None
    group: str | None
    unused: Sequence[str]
    """Columns without a part in the experiment."""
    values: Sequence[float]
    """Of all pictures, where they are to be predicted."""
    facts: PictureFacts


def gather(source: Path, found: PictureTable, *, target: str | None) -> TableOfPictures:
    """Look at all pictures that a table names.

    Raises:
        FaultError: it has no such target, or one that teaches nothing; or a row has no target, or
            a path that means no picture below the root.
    """
    forget_tree()
    table = found.table
    split = split_column(table)
    group = None if split else group_column(table, beside=[found.column])
    taken = [name for name in (found.column, split, group) if name]
    choice = _chosen(table, [name for name in table.columns if name not in taken], target)
    is_beside = found.root != (found.path if is_archive(found.path) else found.path.parent)
    data = ImageTable(
        path=str(found.path),
        images=str(found.root) if is_beside else None,
        column=found.column,
        split=split,
        group=group,
        on_error="skip",  # for rows without their picture to be told of as the broken are
        **choice.options,
    )
    tree = data.open_pictures()
    known, records = data.listed(tree)
    names = _names_of(known, table)
    if known.task == "classification":
        records = [replace(each, label=own[0]) for each, own in zip(records, names, strict=True)]
    counts = counted_names(records, names)
    task = "multilabel" if known.targets else known.task
    assert task != "auto"  # once the table has been looked at
    if task == "classification":
        check_classes(counts, place=found.path, cure=CURE)
    used = {*taken, *known.special_columns}
    unused = [name for name in table.columns if name not in used]
    left_out = [*tree.left_out, *_unnamed(found, [e.name for e in tree.entries], records)]
    facts = looked_at(source, data, tree, records, counts, task, left_out)
    values = (
        data.encoded_targets(table)["target"].flatten().tolist() if task == "regression" else []
    )
    return TableOfPictures(found, choice, split, group, unused, values, facts)


def _chosen(table: Table, names: Sequence[str], target: str | None) -> Choice:
    """The columns to predict, among these."""
    if target is not None:
        if target not in table.columns:
            hint = nearest(target, names)
            raise data_fault(f"has no column {show(target)}", hint=hint, place=table.place)
        if target not in names:
            message = f"column {show(target)} names the pictures, or decides the splits"
            raise data_fault(message, hint=nearest("", names), place=table.place)
        return _target(table, target, "named on the command line")
    useful = [name for name in names if len(set(table.columns[name])) > 1]
    if not useful:
        message = "has no column that tells pictures apart, beside their names"
        raise data_fault(message, hint="add one with the class of each", place=table.place)
    bits = [name for name in useful if {cell.lower() for cell in table.columns[name]} <= {*BITS}]
    lower = {name.lower(): name for name in reversed(useful)}
    usual = next((lower[name] for name in TARGETS if name in lower), "")
    if not usual and len(bits) > 1:
        options = {"targets": {"labels": LabelColumns(columns=bits)}}
        return Choice(options, f"{len(bits):,} columns of 0 and 1; choose another with --target")
    why = "by its name" if usual else "the last column"
    if len(useful) == 1:
        return _target(table, useful[0], "the only other column")
    return _target(table, usual or useful[-1], f"{why}; choose another with --target")


def _target(table: Table, name: str, reason: str) -> Choice:
    separator = separator_of(table.columns[name])
    if separator:
        labels = LabelColumns(column=name, separator=separator)
        why = f"{reason}; {show(separator)} separates its labels"
        return Choice({"targets": {name: labels}}, why)
    return Choice({"target": name, "task": task_of(table.cells(name))}, reason)


def separator_of(cells: Sequence[str]) -> str:
    """What separates the labels in these cells; empty if each is one name or number.

    Names are taken for labels if there are fewer of them than different cells.
    """
    distinct = set(cells)
    for separator in SEPARATORS:
        parts = [cell.split(separator) for cell in distinct if cell]
        labels = {part.strip() for own in parts for part in own}
        if "" not in labels and any(len(own) > 1 for own in parts) and len(labels) < len(distinct):
            return separator
    return ""


def _names_of(data: ImageTable, table: Table) -> list[list[str]]:
    """The class or the labels of each row; none for values."""
    if data.task == "regression":
        return [[]] * len(table)
    if data.target:
        return [[cell] for cell in table.columns[data.target]]
    [labels] = [each.learned(table) for each in data.target_columns.values()]
    encoded = labels.encode(table).bool()
    names = labels.described("").class_names
    return [[names[at] for at in row.nonzero()[:, 0].tolist()] for row in encoded]


def _unnamed(
    found: PictureTable, files: Sequence[str], records: Sequence[Record]
) -> Iterator[LeftOut]:
    """Pictures that no row names, and other tables."""
    named = {record.entry.name for record in records}
    for name in files:
        if is_picture(name) and name not in named:
            yield LeftOut(name, f"is not in {found.path.name}")
    for other in found.others:
        yield LeftOut(other.name, f"is another table than {found.path.name}")
