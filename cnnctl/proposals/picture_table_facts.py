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
from cnnctl.data.tables.cell_targets import BITS
from cnnctl.data.tables.files import is_archive
from cnnctl.data.tables.reading import Table
from cnnctl.data.tables.targets import ClassColumn, LabelColumns
from cnnctl.errors import data_fault
from cnnctl.proposals.picture_facts import PictureFacts, check_classes, counted_names, looked_at
from cnnctl.proposals.picture_table_search import PictureTable
from cnnctl.proposals.special_columns import group_column, split_column
from cnnctl.proposals.targets import (
    kind_of_target,
    likely_target,
    named_targets,
    options_of,
    usual_target,
)

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
    task = "multilabel" if known.targets else known.task  # targets are written for labels alone
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
    """What to predict, of these columns."""
    if target is not None:
        taken = table.columns.keys() - set(names)
        named = named_targets(table, target, taken=taken)
        if len(named) > 1:
            message = f"{len(named)} targets, but init proposes for one target of pictures"
            hint = "name one; data.targets and model.heads take more"
            raise data_fault(message, hint=hint, place=table.place)
        return _choice(table, named[0], "named on the command line")
    useful = [name for name in names if len(set(table.columns[name])) > 1]
    if not useful:
        message = "has no column that tells pictures apart, beside their names"
        raise data_fault(message, hint="add one with the class of each", place=table.place)
    bits = [name for name in useful if {cell.lower() for cell in table.columns[name]} <= {*BITS}]
    if len(bits) > 1 and not usual_target(useful):
        options = options_of({"labels": LabelColumns(columns=bits)})
        return Choice(options, f"{len(bits):,} columns of 0 and 1; choose another with --target")
    return _choice(table, *likely_target(useful))


def _choice(table: Table, name: str, reason: str) -> Choice:
    kind = kind_of_target(table, name)
    if isinstance(kind, LabelColumns):
        reason = f"{reason}; {show(kind.separator)} separates its labels"
    return Choice(options_of({name: kind}), reason)


def _names_of(data: ImageTable, table: Table) -> list[list[str]]:
    """The class or the labels of each row; none for values."""
    [columns] = data.target_columns.values()
    if isinstance(columns, ClassColumn):
        return [[cell] for cell in table.columns[columns.column]]
    if not isinstance(columns, LabelColumns):
        return [[] for _ in range(len(table))]
    labels = columns.learned(table)
    names = labels.described("").class_names
    return [
        [names[at] for at in row.nonzero()[:, 0].tolist()] for row in labels.encode(table).bool()
    ]


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
