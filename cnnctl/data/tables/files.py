"""The files of tables, which an archive may hold."""

from __future__ import annotations

from pathlib import Path

from cnnctl.config.wording import show
from cnnctl.data.file_tree import Entry, FileTree
from cnnctl.data.files import ARCHIVE_SUFFIXES, open_tree
from cnnctl.data.pictures.decoding import is_picture
from cnnctl.data.tables import parquet
from cnnctl.data.texts import read_content
from cnnctl.errors import FaultError, data_fault
from cnnctl.paths import is_file

MAX_BYTES = 2**30
TAB_SUFFIXES = (".tsv", ".tab")
TABLE_SUFFIXES = (".csv", *TAB_SUFFIXES, *parquet.SUFFIXES)
NAMED = 3
"""Tables of an archive that a message names."""


def content_of(path: Path) -> tuple[bytes, str]:
    """The content of a table, and its place; of an archive, that of the only table in it.

    Raises:
        FaultError: it cannot be read, or is too large; or the archive holds no table, or several.
    """
    if is_archive(path):
        tree, entry = _table_in(path)
        return tree.read(entry, limit=MAX_BYTES), tree.place(entry.name)
    missing = "check data.path, or give the file with --data"
    return read_content(path, limit=MAX_BYTES, missing=missing), str(path)


def is_archive(path: Path) -> bool:
    """Whether a file is an archive, told by its suffix."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES) and is_file(path)


def is_table(path: Path) -> bool:
    """Whether a file is a table, or an archive that holds one and no pictures."""
    if not is_archive(path):
        return path.name.lower().endswith(TABLE_SUFFIXES)
    if path.stat().st_size > MAX_BYTES:
        return False  # and listing it would take long
    try:
        entries = open_tree(path).entries
    except FaultError:  # reported by whoever reads it
        return False
    return any(map(_is_table, entries)) and not any(is_picture(each.name) for each in entries)


def _is_table(entry: Entry) -> bool:
    return entry.name.lower().endswith(TABLE_SUFFIXES)


def _table_in(path: Path) -> tuple[FileTree, Entry]:
    tree = open_tree(path)
    tables = [entry for entry in tree.entries if _is_table(entry)]
    if len(tables) == 1:
        return tree, tables[0]
    if not tables:
        tree.note_left_out()
        message = f"has no table among {len(tree.entries):,} files"
        hint = f"the names of tables end in {', '.join(TABLE_SUFFIXES)}"
        raise data_fault(message, hint=hint, place=str(path))
    names = ", ".join(show(entry.name) for entry in tables[:NAMED])
    more = ", …" if len(tables) > NAMED else ""
    message = f"holds {len(tables):,} tables: {names}{more}"
    raise data_fault(message, hint="unpack the one to use", place=str(path))
