"""Finds the table that names pictures, and the folder that its paths are relative to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from cnnctl.data.file_tree import Entry
from cnnctl.data.files import open_tree, remembered_tree
from cnnctl.data.picture_names import PictureNames
from cnnctl.data.pictures.decoding import SUFFIXES, is_picture
from cnnctl.data.tables.files import TABLE_SUFFIXES, is_archive
from cnnctl.data.tables.reading import Table, read_table
from cnnctl.errors import FaultError
from cnnctl.storage import contents, is_file, is_folder

SAMPLED = 200
"""Rows that show which column names pictures, and in which folder, evenly spread."""
NAMED = 0.5
"""The share of rows from which on a column names pictures."""
MOST_FOLDERS = 100
"""Folders that are tried for the one that the paths are relative to."""
FIRST = 3
"""Rows whose pictures show that a folder is worth being listed."""


@dataclass(frozen=True, slots=True)
class PictureTable:
    """A table that names pictures."""

    path: Path
    table: Table
    root: Path
    """Folder or archive that the paths are relative to."""
    column: str
    """The column of the paths."""
    others: Sequence[Path]
    """Tables beside it."""


def find_table(source: Path) -> PictureTable | None:
    """The table that names most pictures: one in a folder or an archive, or the source itself.

    A table that is the source may have its pictures in its folder, or in one beside it.

    Raises:
        FaultError: there is none, but a table that cannot be read.
    """
    paths, faults = list(tables_of(source)), list[FaultError]()
    best, most = None, 0
    for path in paths:
        try:
            table = read_table(path)
        except FaultError as error:
            faults.append(error)
            continue
        for root, pictures in _roots(source, table):
            column, named = _names_most(table, pictures)
            if named > most:
                others = [other for other in paths if other != path]
                best, most = PictureTable(path, table, root, column, others), named
    if best is None and faults:
        raise faults[0]
    return best


def tables_of(source: Path) -> Iterator[Path]:
    """The tables of a folder; an archive that holds some beside pictures; or the source itself."""
    if is_folder(source):
        inside = (path for path in contents(source) if not path.name.startswith("."))
        yield from sorted(path for path in inside if _is_table(path) and is_file(path))
    elif _is_table(source):
        yield source
    elif is_archive(source):
        with suppress(FaultError):
            names = [entry.name for entry in remembered_tree(source).entries]
            if any(map(is_picture, names)) and any(_is_table(Path(name)) for name in names):
                yield source


def _is_table(path: Path) -> bool:
    return path.name.lower().endswith(TABLE_SUFFIXES)


def _roots(source: Path, table: Table) -> Iterator[tuple[Path, Sequence[str]]]:
    """What the paths in a table may be relative to, and the names of the pictures below it."""
    if _is_table(source):
        beside = (path for path in contents(source.parent) if is_folder(path))
        for folder in (source.parent, *islice(beside, MOST_FOLDERS)):
            if _has_first(folder, table):
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


def _names_most(table: Table, pictures: Sequence[str]) -> tuple[str, int]:
    """The column that names most of these pictures, and how many of a sample of its rows do."""
    names, step = PictureNames(pictures), max(1, len(table) // SAMPLED)
    rows = len(range(0, len(table), step))
    best, most = "", int(NAMED * rows)
    for column, cells in table.columns.items():
        found = {at for cell in cells[::step] if cell for at in names.find(cell)[:1]}
        if len(found) > most:
            best, most = column, len(found)
    return best, most if best else 0
