"""Tables that name pictures: the column that does, and the file of each row."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cnnctl.config.wording import show
from cnnctl.data.file_tree import ABSENT, Entry, FileTree
from cnnctl.data.picture_names import PictureNames
from cnnctl.data.pictures.decoding import is_picture
from cnnctl.data.tables.cells import Cells
from cnnctl.data.tables.reading import Table
from cnnctl.data.texts import line_fault
from cnnctl.errors import (
    MOST_FAULTS,
    SHOWN,
    Fault,
    config_fault,
    data_faults,
    did_you_mean,
)

SAMPLED = 1000
"""Rows that show which column names pictures, evenly spread."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a path in a table means."""

    entries: Sequence[Entry]
    """The pictures that may be meant."""
    is_whole: bool
    """Whether it has their suffix."""


class PictureFiles:
    """The pictures below a root, by the paths that a table has for them."""

    def __init__(self, tree: FileTree, *, suffix: str) -> None:
        self._entries = [each for each in tree.entries if is_picture(each.name)] or tree.entries
        self._names = PictureNames([entry.name for entry in self._entries])
        self._reasons = {each.name: each.reason for each in tree.left_out}
        self.suffix, self.root = suffix, tree.root

    def find(self, path: str) -> Found:
        """The pictures that a path may mean; a path without folders, in any folder."""
        name = path + self.suffix
        positions = (self._names.find(name) or self._names.find_file(name)) if path else []
        entries = [self._entries[at] for at in positions]
        end = _with_slashes(name)
        return Found(entries, all(entry.name.endswith(end) for entry in entries))

    def absent(self, path: str) -> Entry | None:
        """The file that would be there for a path below the root; None for any other path."""
        is_below = path and not _leads_out(path)
        return Entry(_with_slashes(path) + self.suffix, ABSENT, 0) if is_below else None

    def fault_of(self, path: str, found: Found, *, suggest: bool) -> tuple[str, str]:
        """What is wrong with a path that does not mean one picture, and a hint."""
        name = path + self.suffix
        if not path:
            return "the path is missing", "fill it in, or remove the row"
        if _leads_out(path):
            return f"{show(path)} leads out of {self.root}", "paths are relative to data.images"
        if reason := self._reasons.get(_with_slashes(name)):
            return f"{show(name)} {reason}", f"put the picture below {self.root}"
        if found.entries:
            one, two = (show(entry.name) for entry in found.entries[:2])
            folders = {entry.name.rpartition("/")[0] for entry in found.entries[:2]}
            in_folders = "write the folder in the table, or set data.images"
            cure = in_folders if len(folders) > 1 else "set data.suffix, or write it in the table"
            return f"{one} or {two} may be meant", cure
        close = did_you_mean(self._names.similar(name)) if suggest else ""
        return f"no such picture: {show(name)}", close or f"paths are relative to {self.root}"


def check_header(table: Table, files: PictureFiles) -> None:
    """Raise a FaultError for a table whose first line has no names of columns, but a picture's."""
    if any(found.entries and found.is_whole for found in map(files.find, table.columns)):
        message = "has the path of a picture instead of the names of columns"
        raise line_fault(table.place, 1, message, hint="name each column in the first line")


def column_of_pictures(table: Table, files: PictureFiles, *, beside: Collection[str]) -> str:
    """The column that names pictures, other than these.

    It names as many in more than half of its rows, with their suffixes if a column does so.

    Raises:
        FaultError: there is none, or several may be meant.
    """
    step = max(1, len(table) // SAMPLED)
    others = {name: table.columns[name][::step] for name in table.columns if name not in beside}
    found = {name: [files.find(cell) for cell in cells] for name, cells in others.items()}
    named = {name: [each for each in every if each.entries] for name, every in found.items()}
    naming = [
        name
        for name, every in named.items()
        if 2 * len({each.entries[0].name for each in every}) > len(found[name])
    ]
    whole = [name for name in naming if all(each.is_whole for each in named[name])]
    chosen = whole or naming
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        message = f"columns {' and '.join(map(show, chosen))} of {table.place} name pictures"
        raise config_fault(message, hint="name one of them", path=("column",))
    added = f" with {files.suffix} added" if files.suffix else ""
    message = f"no column of {table.place}{added} names pictures below {files.root}"
    hint = f"set data.images, or data.column; columns: {', '.join(map(show, table.columns))}"
    raise config_fault(message, hint=hint, path=("column",))


def entries_of(cells: Cells, files: PictureFiles, *, may_lack: bool) -> list[Entry]:
    """The file that each cell names; where some `may_lack`, those have the size `ABSENT`.

    Raises:
        FaultError: a cell is not the path of one picture, or of that of another row.
    """
    entries, faults, rows = list[Entry](), list[Fault](), dict[str, int]()
    for at, path in enumerate(cells.values):
        found = files.find(path)
        entry = found.entries[0] if len(found.entries) == 1 else None
        if not found.entries and may_lack:
            entry = files.absent(path)
        if entry is None:
            message, hint = files.fault_of(path, found, suggest=len(faults) < SHOWN)
            faults += cells.fault(at, message, hint=hint).faults
        elif entry.name in rows:
            message = f"{show(entry.name)} is in {_row(cells, rows[entry.name], at)}, too"
            hint = "keep one row for each picture"
            faults += cells.fault(at, message, hint=hint).faults
        else:
            rows[entry.name] = at
            entries.append(entry)
        if len(faults) == MOST_FAULTS:
            break
    if faults:
        raise data_faults(faults)
    return entries


def _row(cells: Cells, at: int, other: int) -> str:
    """How a fault of another row names a row: with its table if that is another."""
    if cells.places and cells.places[at] != cells.places[other]:
        return cells.where(at)
    return f"{cells.unit} {cells.lines[at]}"


def _with_slashes(path: str) -> str:
    return path.replace("\\", "/").removeprefix("./")


def _leads_out(path: str) -> bool:
    first, *others = _with_slashes(path).split("/")
    return not first or first.endswith(":") or ".." in (first, *others)
