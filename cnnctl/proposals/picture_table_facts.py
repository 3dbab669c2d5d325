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
from cnnctl.data.tables.reading import Table, joined
from cnnctl.data.tables.targets import ClassColumn, LabelColumns, TargetColumns
from cnnctl.proposals.heads import heads_of
from cnnctl.proposals.picture_facts import PictureFacts, check_classes, counted_names, looked_at
from cnnctl.proposals.picture_split_tables import OtherSplits, other_splits, with_root_of_all
from cnnctl.proposals.picture_table_search import PictureTable, is_submission
from cnnctl.proposals.picture_targets import Choice, chosen, likely
from cnnctl.proposals.special_columns import group_column, split_columns
from cnnctl.proposals.target_report import about_targets
from cnnctl.proposals.targets import possible_names

CURE = "choose another column with --target"


@dataclass(frozen=True, slots=True)
class TableOfPictures:
    """A table of pictures, and how an experiment sees it."""

    found: PictureTable
    choice: Choice
    split: str | None
    group: str | None
    unused: Sequence[str]
    """Columns that the experiment does not use."""
    is_one_hot: bool
    """Whether columns of 0 and 1 have exactly one 1 in each row."""
    splits: OtherSplits
    """Tables of other splits."""
    about: Sequence[str]
    """Lines on the targets, but for a single one of classes or labels."""
    facts: PictureFacts

    @property
    def joinable(self) -> Sequence[Path]:
        """Other tables that have the same targets."""
        wanted = {self.found.where.column, *self.choice.columns}
        return [
            path
            for path, table in self.found.others.items()
            if wanted <= table.columns.keys()
            and not is_submission(path)
            and path not in self.splits.paths.values()
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
    splits = split_columns(table, beside=possible_names(target))
    group = None if splits else group_column(table, beside=[found.where.column])
    split = next(iter(splits), None)
    taken = [found.where.column, *splits, *([group] if group else [])]
    choice = likely(table, taken=taken) if target is None else chosen(table, target, taken=taken)
    own = OtherSplits() if splits else other_splits(found, targets=choice.columns)
    found = with_root_of_all(found, own, top=source)
    if others := [found.others[path] for path in own.paths.values()]:
        table = joined([table, *others])
        choice = choice.in_table(table)
    top = found.path if is_archive(found.path) else found.path.parent
    data = ImageTable(
        path=str(found.path),
        images=None if found.where.root == top else str(found.where.root),
        column=found.where.column,
        split=split,
        group=group,
        tables=own.option,
        on_error="skip",  # so that missing pictures are reported like broken ones
        **choice.options,
    )
    tree = data.open_pictures()
    known, records = data.listed(tree)
    main = next(iter(known.target_columns.values()))
    names = _names_of(main, table)
    task = main.task
    if task == "classification":
        records = [replace(each, label=own[0]) for each, own in zip(records, names, strict=True)]
    counts = counted_names(records, names)
    if task == "classification":
        check_classes(counts, place=found.path, cure=CURE)
    unused = [name for name in table.columns if name not in {*taken, *choice.columns}]
    left_out = [*tree.left_out, *_unnamed(found, own, [e.name for e in tree.entries], records)]
    facts = looked_at(source, data, tree, records, counts, task, left_out)
    facts = replace(facts, heads=heads_of(known.target_columns, table, samples=len(records)))
    is_one_hot = len(main.all_columns) > 1 and all(len(own) == 1 for own in names)
    about = _about(known.target_columns, table)
    return TableOfPictures(found, choice, split, group, unused, is_one_hot, own, about, facts)


def _about(kinds: Mapping[str, TargetColumns], table: Table) -> list[str]:
    """Lines on the targets; none for a single one of classes or labels, which a table shows."""
    [main, *more] = kinds.values()
    if not more and main.task != "regression":
        return []
    return list(about_targets(kinds, table, of="pictures"))


def _names_of(kind: TargetColumns, table: Table) -> list[list[str]]:
    """The class or the labels of each row; none for values."""
    if isinstance(kind, ClassColumn):
        return [[cell] for cell in table.columns[kind.column]]
    if not isinstance(kind, LabelColumns):
        return [[] for _ in range(len(table))]
    labels = kind.learned(table)
    names = labels.described("").class_names
    return [
        [names[at] for at in row.nonzero()[:, 0].tolist()] for row in labels.encode(table).bool()
    ]


def _unnamed(
    found: PictureTable, splits: OtherSplits, files: Sequence[str], records: Sequence[Record]
) -> Iterator[LeftOut]:
    """Other tables, and pictures that no row names."""
    for other in found.others:
        if other not in splits.paths.values():
            yield LeftOut(other.name, f"is another table than {found.path.name}")
    named = {record.entry.name for record in records}
    for name in files:
        if is_picture(name) and name not in named:
            tables = " or ".join(path.name for path in (found.path, *splits.paths.values()))
            yield LeftOut(name, f"is not in {tables}")
