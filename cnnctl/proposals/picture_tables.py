"""Proposes experiments for pictures that a table names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cnnctl.data.files import forget_tree, remembered_tree
from cnnctl.data.records import Record
from cnnctl.data.sources.image_folder import ImageFolder
from cnnctl.data.sources.image_table import ImageTable
from cnnctl.data.tables.files import TABLE_SUFFIXES, is_archive
from cnnctl.errors import FaultError
from cnnctl.paths import is_folder
from cnnctl.proposals.document import Setting, counted
from cnnctl.proposals.picture_config import propose
from cnnctl.proposals.picture_report import SHOWN, render
from cnnctl.proposals.picture_split_tables import named
from cnnctl.proposals.picture_table_facts import TableOfPictures, gather
from cnnctl.proposals.picture_table_search import find_table, names_no_picture, tables_of
from cnnctl.proposals.proposer import Proposal, Proposer, Wishes, targets_named_by_option
from cnnctl.proposals.settings import path_setting
from cnnctl.proposals.targets import written


class PictureTables(Proposer):
    """A folder or an archive of pictures with a table of their targets; or that table."""

    takes = "pictures and a table of their classes, labels or values"

    @staticmethod
    def suits(source: Path, wishes: Wishes) -> bool:
        forget_tree()
        if not any(tables_of(source)):
            return False
        folders = _class_folders(source)
        classes = {record.label for record in folders}
        are_split = any(record.split for record in folders)  # as no table would know
        are_classes = len(classes) > 1 and _is_deep(source)  # and a table may be of one of them
        if (are_split or are_classes) and wishes.target is None:
            return False
        with suppress(FaultError):
            if find_table(source, target=wishes.target) is not None:
                return True
        return not source.name.lower().endswith(TABLE_SUFFIXES) and len(classes) < 2

    def propose(self, source: Path, wishes: Wishes) -> Proposal:
        found = find_table(source, target=wishes.target)
        if found is None:
            raise names_no_picture(source)
        with targets_named_by_option():
            known = gather(source, found, target=wishes.target)
        opening = list(_opening(known, folder=wishes.folder))
        text = propose(known.facts, opening, pretrained=wishes.pretrained)
        return Proposal(render(known.facts, list(_about(known))), text)


def _is_deep(source: Path) -> bool:
    """Whether the tables of a folder are in its folders."""
    return is_folder(source) and all(path.parent != source for path in tables_of(source))


def _class_folders(source: Path) -> list[Record]:
    """The pictures of a folder or an archive that are in class folders."""
    with suppress(FaultError):  # where there are no pictures
        if is_folder(source) or is_archive(source):
            return ImageFolder(path=str(source)).records(remembered_tree(source))
    return []


def _opening(known: TableOfPictures, *, folder: Path) -> Iterator[Setting]:
    """Where the pictures are, and what is to be predicted of them."""
    found, choice, data = known.found, known.choice, known.facts.data
    assert isinstance(data, ImageTable)
    yield Setting("data.name", "image_table")
    yield path_setting(found.path, folder=folder)
    if data.images is not None:
        path = path_setting(found.where.root, folder=folder, option="data.images").value
        yield Setting("data.images", path, "the paths in the table are relative to it")
    yield Setting("data.column", found.where.column, "names the pictures")
    if data.target:
        yield Setting("data.target", data.target, choice.reason)
        yield Setting("data.task", data.task, _why_task(known))
    if data.targets:
        kinds = {name: written(name, kind) for name, kind in data.targets.items()}
        yield Setting("data.targets", kinds, choice.reason)
    if known.splits.paths:
        paths = {
            split: path_setting(path, folder=folder).value
            for split, path in known.splits.paths.items()
        }
        yield Setting("data.tables", paths, "those of the other splits; path is for training")
    if known.split:
        yield Setting("data.split", known.split, "assigns each picture to a split")
    if known.group:
        yield Setting("data.group", known.group, "rows with equal cells stay in one split")


def _why_task(known: TableOfPictures) -> str:
    facts = known.facts
    kinds = "classes" if facts.task == "classification" else "labels"
    return (
        f"{len(facts.classes):,} {kinds}" if facts.classes else "numbers with many distinct values"
    )


def _about(known: TableOfPictures) -> Iterator[str]:
    found = known.found
    yield f"table: {found.path.name}, whose column {found.where.column} names the pictures"
    targets = known.choice.columns
    more = f", … {len(targets) - SHOWN:,} more" if len(targets) > SHOWN else ""
    yield f"target: {', '.join(targets[:SHOWN])}{more} ({known.choice.reason})"
    yield from known.about
    if known.is_one_hot:
        yield "note: each picture has exactly one label; consider one column of class names"
    yield from named(known.splits, found.path)
    if known.split:
        yield f"splits: from column {known.split}"
    for name, torn in known.torn.items():
        if torn:
            cells = f"{counted(torn, 'cell')} of {name}"
            yield f"warning: {cells} in several splits, which inflates the results"
    if known.group:
        yield f"groups: from column {known.group}; each stays in one split"
    if known.joinable:
        names = ", ".join(path.name for path in known.joinable)
        yield f"note: {names} could be appended to it, with a column named split"
    if known.unused:
        yield f"columns not used: {', '.join(known.unused)}"
