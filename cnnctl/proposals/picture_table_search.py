"""Finds the table that names pictures, and the folder that its paths are relative to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from random import Random

from cnnctl.config.wording import show
from cnnctl.data.file_tree import Entry
from cnnctl.data.files import open_tree, remembered_tree
from cnnctl.data.picture_names import PictureNames
from cnnctl.data.pictures.decoding import SUFFIXES, is_picture
from cnnctl.data.records import SPLIT_WORDS
from cnnctl.data.tables.files import TABLE_SUFFIXES, is_archive
from cnnctl.data.tables.reading import Table, read_table
from cnnctl.errors import FaultError, data_fault
from cnnctl.paths import is_file, is_folder
from cnnctl.proposals.picture_targets import possible_targets
from cnnctl.proposals.special_columns import split_columns, words_of
from cnnctl.storage import contents

SAMPLED = 200
"""Rows that show which column names pictures, and in which folder, chosen at random."""
NAMED = 0.5
"""The minimum share of rows for a column to count as naming pictures."""
MOST_FOLDERS = 100
"""Folders that are tried for the one that the paths are relative to."""
SUBMISSION = "submission"
HELD_OUT = {*(word for word, split in SPLIT_WORDS.items() if split != "train"), SUBMISSION}
"""Words in the names of tables that are not to be trained on."""
MOST_TABLES = 10
"""Tables in subfolders to consider; if there are more, each belongs to its own folder."""
FIRST = 3
"""Rows whose pictures show that a folder is worth listing."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where the pictures of a table are."""

    root: Path
    """Folder or archive that the paths are relative to."""
    column: str
    """The column of the paths."""
    named: int
    """Rows of a sample that name a picture."""


@dataclass(frozen=True, slots=True)
class PictureTable:
    """A table that names pictures."""

    path: Path
    table: Table
    where: Whereabouts
    others: Mapping[Path, Table]
    """Tables beside it."""

    def teaches(self, target: str | None) -> bool:
        """Whether it has this target, or a column that could be one."""
        if target is not None:
            return {target, target.split(",")[0].strip()} & self.table.columns.keys() != set()
        taken = {self.where.column, *split_columns(self.table)}
        return bool(possible_targets(self.table, taken=taken))


def find_table(source: Path, *, target: str | None) -> PictureTable | None:
    """The table to train on: one in a folder or an archive, or the source itself.

    Of several, those with the target come first, or with any; then those that are not for
    validation or testing, then those that name most pictures. A table that is the source may have
    its pictures in its folder, or in one beside it.

    Raises:
        FaultError: a table cannot be read, and no other is one to train on.
    """
    tables, faults = dict[Path, Table](), list[FaultError]()
    for path in tables_of(source):
        try:
            tables[path] = read_table(path)
        except FaultError as error:
            faults.append(error)
    candidates = list[PictureTable]()
    for path, table in tables.items():
        others = {other: each for other, each in tables.items() if other != path}
        if found := _whereabouts(source, path, table):
            candidates.append(PictureTable(path, table, found, others))
    best = max(
        candidates,
        key=lambda each: (each.teaches(target), not _is_held_out(each.path), each.where.named),
        default=None,
    )
    if faults and (best is None or _is_held_out(best.path) or not best.teaches(target)):
        raise faults[0]
    return best


def names_no_picture(source: Path) -> FaultError:
    """The fault of pictures whose tables do not name them; it shows a path that leads elsewhere."""
    path = next(tables_of(source))
    message = f"no column of {path.name} names the pictures"
    hint = "write their paths in a column, or put those of each class in a folder"
    pictures = _pictures(remembered_tree(source).entries)
    find, table = PictureNames(pictures).find_file, read_table(path)
    for whereabouts in _naming(table, source, lambda cell: find(_file(cell)), may_be_several=True):
        cell = next(cell for cell in table.columns[whereabouts.column] if find(_file(cell)))
        meant = pictures[find(_file(cell))[0]]
        message = f"the paths in column {show(whereabouts.column)} of {path.name} lead elsewhere"
        hint = f"write {show(meant)} instead of {show(cell)}"
    return data_fault(message, hint=hint, place=str(source))


def _file(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def tables_of(source: Path) -> Iterator[Path]:
    """The tables of a folder; an archive that holds some beside pictures; or the source itself.

    Tables in the folders of a folder count if there are few, and pictures with them.
    """
    if is_folder(source):
        inside = (path for path in contents(source) if not path.name.startswith("."))
        tables = sorted(path for path in inside if _is_table(path) and is_file(path))
        yield from tables or _tables_below(source)
    elif _is_table(source):
        yield source
    elif is_archive(source):
        with suppress(FaultError):
            names = [entry.name for entry in remembered_tree(source).entries]
            if any(map(is_picture, names)) and any(_is_table(Path(name)) for name in names):
                yield source


def _is_held_out(path: Path) -> bool:
    """Whether the name of a table or a folder says that it is not to be trained on."""
    return bool(words_of(path.stem) & HELD_OUT)


def is_submission(path: Path) -> bool:
    """Whether a table is only a sample of a submission, by its name."""
    return SUBMISSION in words_of(path.stem)


def _tables_below(folder: Path) -> Sequence[Path]:
    with suppress(FaultError):
        names = [entry.name for entry in remembered_tree(folder).entries]
        tables = [folder / name for name in names if _is_table(Path(name))]
        if len(tables) <= MOST_TABLES and any(map(is_picture, names)):
            return tables
    return []


def _is_table(path: Path) -> bool:
    return path.name.lower().endswith(TABLE_SUFFIXES)


def _whereabouts(source: Path, path: Path, table: Table) -> Whereabouts | None:
    """Where most pictures of a table are; None if no column names enough.

    The names of files alone are looked for in all folders, if that finds more.
    """
    found = list[Whereabouts]()
    for root, pictures in _roots(source, table):
        found += _naming(table, root, PictureNames(pictures).find, may_be_several=True)
    best = max((each.named for each in found), default=0)
    if best < len(_sample(table)) and (top := _top(source, table)):
        tree = remembered_tree(top) if top == source else open_tree(top)
        found += _naming(
            table, top, PictureNames(_pictures(tree.entries)).find_file, may_be_several=False
        )
    return max(found, key=lambda each: (each.named, *_suits(each.root, path)), default=None)


def _suits(root: Path, table: Path) -> tuple[bool, bool]:
    """How well the name of a folder suits a table, where several have its pictures."""
    return root.name.lower() == table.stem.lower(), not _is_held_out(root)


def _roots(source: Path, table: Table) -> Iterator[tuple[Path, Sequence[str]]]:
    """What the paths in a table may be relative to, and the names of the pictures below it."""
    if _is_table(source):
        for folder in _folders_with_first(source, table):
            yield folder, _pictures(open_tree(folder).entries)
        return
    pictures = _pictures(remembered_tree(source).entries)
    yield source, pictures
    if is_folder(source):
        parents = {parent for name in pictures for parent in PurePosixPath(name).parents}
        for parent in islice(sorted(parent for parent in parents if parent.name), MOST_FOLDERS):
            top = f"{parent}/"
            below = [name.removeprefix(top) for name in pictures if name.startswith(top)]
            yield source / parent, below


def _top(source: Path, table: Table) -> Path | None:
    """The folder or archive that all pictures of a table must be below."""
    if not _is_table(source):
        return source
    return source.parent if any(_folders_with_first(source, table)) else None


def _folders_with_first(source: Path, table: Table) -> Iterator[Path]:
    """The folder of a table, and those beside it, as far as they have a picture of its first rows.

    Others are not listed, which may take long.
    """
    beside = (path for path in contents(source.parent) if is_folder(path))
    for folder in (source.parent, *islice(beside, MOST_FOLDERS)):
        if _has_first(folder, table):
            yield folder


def _pictures(entries: Sequence[Entry]) -> list[str]:
    return [entry.name for entry in entries if is_picture(entry.name)]


def _has_first(folder: Path, table: Table) -> bool:
    """Whether a folder has a picture of the first rows."""
    for cells in table.columns.values():
        for cell in filter(None, cells[:FIRST]):
            path = PurePosixPath(cell.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts:
                continue
            files = [cell] if is_picture(cell) else [f"{path}{suffix}" for suffix in SUFFIXES]
            if any(is_file(folder / file) for file in files):
                return True
    return False


def _naming(
    table: Table, root: Path, find: Callable[[str], Sequence[int]], *, may_be_several: bool
) -> Iterator[Whereabouts]:
    """The column that names most pictures below a root, if one names enough.

    may_be_several: whether a cell counts that can mean more than one picture.
    """
    rows = _sample(table)
    best, most = "", int(NAMED * len(rows))
    for column, cells in table.columns.items():
        positions = (find(cells[row]) for row in rows if cells[row])
        found = {each[0] for each in positions if len(each) == 1 or (each and may_be_several)}
        if len(found) > most:
            best, most = column, len(found)
    if best:
        yield Whereabouts(root, best, most)


def _sample(table: Table) -> Sequence[int]:
    """Random positions, the same at each call; evenly spaced rows could be in one folder."""
    count = len(table)
    return Random(0).sample(range(count), SAMPLED) if count > SAMPLED else range(count)
