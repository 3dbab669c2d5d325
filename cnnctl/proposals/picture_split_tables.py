"""Finds tables of pictures for validation and testing beside that for training."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cnnctl.config.wording import show
from cnnctl.data.files import open_tree
from cnnctl.data.picture_names import PictureNames
from cnnctl.data.pictures.decoding import is_picture
from cnnctl.data.records import SPLIT_WORDS, GivenSplit
from cnnctl.data.split_tables import SplitTables
from cnnctl.data.tables.reading import Table
from cnnctl.proposals.picture_table_search import PictureTable, is_submission
from cnnctl.proposals.special_columns import words_of


@dataclass(frozen=True, slots=True)
class OtherSplits:
    """The tables of other splits than that for training."""

    paths: Mapping[GivenSplit, Path] = field(default_factory=dict)
    unlabelled: Sequence[Path] = ()
    """Tables without the targets, whose pictures are to be answered for."""
    notes: Sequence[str] = ()
    """Why tables whose names are those of splits are none."""

    @property
    def option(self) -> SplitTables | None:
        """The option of the dataset."""
        if not self.paths:
            return None
        return SplitTables.model_validate({split: str(path) for split, path in self.paths.items()})


def other_splits(found: PictureTable, *, targets: Collection[str]) -> OtherSplits:
    """The tables whose names are those of splits, and which have the columns of a table.

    A table without the targets is none: competitions keep those of their test pictures.

    targets: the columns to predict.
    """
    paths, notes, unlabelled = dict[GivenSplit, Path](), list[str](), list[Path]()
    for path, table in found.others.items():
        split = split_of(path)
        if split not in ("validation", "test") or is_submission(path):
            continue
        if lacking := [name for name in targets if name not in table.columns]:
            tells = _names_others(found, table)
            advice = (
                "use it with `cnnctl predict`"
                if tells
                else "use `cnnctl predict` on the folder of its pictures"
            )
            lacks = f"{path.name} has no column {show(lacking[0])}"
            notes.append(f"{lacks}, so it is no {split} split; {advice}")
            unlabelled += [path] if tells else []
        elif found.where.column in table.columns and split not in paths:
            fault = _fault(found, table)
            notes += [f"{path.name} is no {split} split: {fault}"] if fault else []
            paths |= {} if fault else {split: path}
    return OtherSplits(paths, unlabelled, notes)


def _names_others(found: PictureTable, table: Table) -> bool:
    """Whether a table names pictures, and none by a name that another one has for training."""
    cells = table.columns.get(found.where.column, ())
    return bool(cells) and not {*cells} & {*found.table.columns[found.where.column]}


def split_of(path: Path) -> GivenSplit | None:
    """The split that a table is named after, if it is one."""
    found = {SPLIT_WORDS[word] for word in words_of(path.stem) if word in SPLIT_WORDS}
    return found.pop() if len(found) == 1 else None


def with_root_of_all(found: PictureTable, splits: OtherSplits, *, top: Path) -> PictureTable:
    """The same with the folder that the pictures of the other tables are below as well, if there
    is one; or at least those of splits."""
    for paths in ((*splits.paths.values(), *splits.unlabelled), splits.paths.values()):
        tables = [found.others[path] for path in paths]
        if tables and (root := _root_of(found, tables, top=top)):
            return replace(found, where=replace(found.where, root=root))
    return found


def _root_of(found: PictureTable, tables: Sequence[Table], *, top: Path) -> Path | None:
    column, root = found.where.column, found.where.root
    inside = [root, *(each for each in root.parents if each.is_relative_to(top))]
    for folder in inside:
        names = [entry.name for entry in open_tree(folder).entries if is_picture(entry.name)]
        known = PictureNames(names)
        cells = (cell for table in (found.table, *tables) for cell in table.columns[column])
        if all(known.find(cell) or len(known.find_file(cell)) == 1 for cell in cells if cell):
            return folder
    return None


def _fault(found: PictureTable, table: Table) -> str:
    """Why a table cannot be another split than that for training."""
    column = found.where.column
    if table.unit != found.table.unit:
        return f"it is of another format than {found.path.name}"
    if both := {*table.columns[column]} & {*found.table.columns[column]}:
        return f"{show(min(both))} is in {found.path.name}, too"
    return ""


def named(splits: OtherSplits, train: Path) -> Iterator[str]:
    """Lines on the tables of splits."""
    if splits.paths:
        names = ", ".join(path.name for path in splits.paths.values())
        yield f"splits: {train.name} for training; {names}"
    yield from (f"note: {note}" for note in splits.notes)
