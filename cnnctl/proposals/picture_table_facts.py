"""Gathers facts about a table of pictures: the pictures, and its columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cnnctl.data.file_tree import LeftOut
from cnnctl.data.files import forget_tree
from cnnctl.data.pictures.decoding import is_picture
from cnnctl.data.records import Record
from cnnctl.data.sources.image_table import ImageTable
from cnnctl.data.tables.files import is_archive
from cnnctl.data.tables.reading import Table
from cnnctl.data.tables.targets import ClassColumn, LabelColumns
from cnnctl.proposals.picture_facts import PictureFacts, check_classes, counted_names, looked_at
from cnnctl.proposals.picture_table_search import PictureTable, is_submission
from cnnctl.proposals.picture_targets import Choice, chosen, likely
from cnnctl.proposals.special_columns import group_column, split_column

CURE = "choose another column with --target"


@dataclass(frozen=True, slots=True)
class TableOfPictures:
    """A table of pictures, and how an experiment sees it."""

    found: PictureTable
    choice: Choice
    split: str | None
    group: str | None
    targets: Sequence[str]
    """The columns to predict."""
    unused: Sequence[str]
    """Columns that the experiment does not use."""
    values: Sequence[float]
    """Of all pictures, where they are to be predicted."""
    is_one_hot: bool
    """Whether columns of 0 and 1 have exactly one 1 in each row."""
    facts: PictureFacts

    @property
    def joinable(self) -> Sequence[Path]:
        """Other tables that have the same targets."""
        wanted = {self.found.where.column, *self.targets}
        return [
            path
            for path, table in self.found.others.items()
            if wanted <= table.columns.keys() and not is_submission(path)
        ]

    @property
    def torn(self) -> Mapping[str, int]:
        """How many groups are in several splits, by the name of their column."""
        table, splits = self.found.table, defaultdict[str, set[str]](set)
        name = group_column(table, beside=[self.found.where.column]) if self.split else None
        if not self.split or not name:
            return {}
        for cell, split in zip(table.columns[name], table.columns[self.split], strict=True):
            splits[cell].add(split)
        return {name: sum(len(each) > 1 for each in splits.values())}


def gather(source: Path, found: PictureTable, *, target: str | None) -> TableOfPictures:
    """Look at all pictures that a table names.

    Raises:
        FaultError: it has no such target, or one that cannot be learned; or a row has no target, or
            a path that leads to no picture below the root.
    """
    forget_tree()
    table = found.table
    split = split_column(table)
    group = None if split else group_column(table, beside=[found.where.column])
    taken = [name for name in (found.where.column, split, group) if name]
    choice = likely(table, taken=taken) if target is None else chosen(table, target, taken=taken)
    is_beside = found.where.root != (found.path if is_archive(found.path) else found.path.parent)
    data = ImageTable(
        path=str(found.path),
        images=str(found.where.root) if is_beside else None,
        column=found.where.column,
        split=split,
        group=group,
        on_error="skip",  # so that missing pictures are reported like broken ones
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
    targets = [name for kind in known.target_columns.values() for name in kind.all_columns]
    used = {*taken, *targets}
    unused = [name for name in table.columns if name not in used]
    left_out = [*tree.left_out, *_unnamed(found, [e.name for e in tree.entries], records)]
    facts = looked_at(source, data, tree, records, counts, task, left_out)
    values = (
        data.encoded_targets(table)["target"].flatten().tolist() if task == "regression" else []
    )
    is_one_hot = len(targets) > 1 and all(len(own) == 1 for own in names)
    return TableOfPictures(found, choice, split, group, targets, unused, values, is_one_hot, facts)


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
    """Other tables, and pictures that no row names."""
    for other in found.others:
        yield LeftOut(other.name, f"is another table than {found.path.name}")
    named = {record.entry.name for record in records}
    for name in files:
        if is_picture(name) and name not in named:
            yield LeftOut(name, f"is not in {found.path.name}")
