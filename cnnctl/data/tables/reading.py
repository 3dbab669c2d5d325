"""A CSV, TSV or Parquet file -> cells by column, each with its line or row."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from cnnctl.config.wording import show
from cnnctl.data.splits import Positions
from cnnctl.data.tables import parquet
from cnnctl.data.tables.cell_targets import CellTargets
from cnnctl.data.tables.cells import INDEX, Cells, is_index, number_of
from cnnctl.data.tables.files import TAB_SUFFIXES, content_of
from cnnctl.data.texts import Unit, line_fault, place_in, text_of
from cnnctl.errors import MOST_FAULTS, Fault, FaultError, data_fault, data_faults, nearest

MAX_COLUMNS = 10_000
MAX_CELL = 10_000
"""Characters of a cell."""
LONG_CELL = "shorten it, or check for a missing quote"
NAMES = "name each column differently in the first line"
DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns by name, in their order. Blanks around cells are removed."""

    place: str
    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    """The line that each row starts at, or its number in a Parquet file; counted from 1."""
    digest: str
    """SHA-256 of the file."""
    unit: Unit = "line"
    """What `lines` counts."""
    places: Sequence[str] = ()
    """The file of each row, where there are several; `place` is the first."""

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, name: str) -> Cells:
        """The cells of a column.

        Raises:
            FaultError: there is none of this name.
        """
        if name not in self.columns:
            hint = nearest(name, list(self.columns))
            raise data_fault(f"has no column {show(name)}", hint=hint, place=self.place)
        cure = f"leave it empty, or write columns: {{{name}: category}}"
        lines, unit = self.lines, self.unit
        return Cells(name, self.columns[name], lines, self.place, cure, unit, self.places)

    def targets(self, name: str) -> CellTargets:
        """The cells of a column as targets.

        Raises:
            FaultError: there is none of this name.
        """
        return CellTargets(self.cells(name))

    def where(self, position: int) -> str:
        """How messages name the row at a position."""
        place = self.places[position] if self.places else self.place
        return place_in(place, self.lines[position], self.unit)

    def without_cells(self) -> Table:
        """The rows alone, which take little memory."""
        return replace(self, columns={})

    def take(self, rows: Positions) -> Table:
        """The rows at these positions, in this order."""
        chosen = rows.tolist()
        columns = {name: [cells[at] for at in chosen] for name, cells in self.columns.items()}
        lines = [self.lines[at] for at in chosen]
        places = [self.places[at] for at in chosen] if self.places else ()
        return replace(self, columns=columns, lines=lines, places=places)


def joined(tables: Sequence[Table]) -> Table:
    """The rows of some tables, one after another, with the columns that all have.

    Raises:
        FaultError: some are Parquet files, the others text, so that rows and lines would be mixed.
    """
    first = tables[0]
    for table in tables:
        if table.unit != first.unit:
            message = f"is of another format than {first.place}"
            raise data_fault(message, hint="save both in one", place=table.place)
    return Table(
        first.place,
        {
            name: [cell for table in tables for cell in table.columns[name]]
            for name in first.columns
            if all(name in table.columns for table in tables)
        },
        [line for table in tables for line in table.lines],
        sha256("".join(table.digest for table in tables).encode()).hexdigest(),
        first.unit,
        [table.place for table in tables for _ in range(len(table))],
    )


_last: dict[tuple[str, str], Table] = {}
"""The table that was read last, by its place and its digest; see `forget_table`."""


def read_table(path: Path) -> Table:
    """Read a Parquet file, or text with a header: the cells are those of the same table as text.

    Tabs separate the cells, or what separates the names. An archive may hold the file, as its only
    table. A file that has not changed since it was read last is not parsed again.

    Raises:
        FaultError: it cannot be read, is too large, or is not a table.
    """
    content, place = content_of(path)
    key = place, sha256(content).hexdigest()
    if key not in _last:
        _last.clear()
        _last[key] = _table_of(content, *key)
    return _last[key]


def forget_table() -> None:
    """Free the table that was read last, whose cells take far more memory than its features."""
    _last.clear()


def _table_of(content: bytes, place: str, digest: str) -> Table:
    suffix = Path(place).suffix.lower()
    if suffix in parquet.SUFFIXES:
        return Table(place, *_stored(content, place), digest, "row")
    text = text_of(content, place)
    return Table(place, *_parsed(text, place, has_tabs=suffix in TAB_SUFFIXES), digest)


def _stored(content: bytes, place: str) -> tuple[dict[str, list[str]], Sequence[int]]:
    """The columns of a Parquet file, and the number of each row."""
    found, cells = parquet.read_cells(content, place)
    header = [name.strip() for name in found]
    names = _names_of(header, place)
    for column in cells:
        for row, cell in enumerate(column, start=1):
            if len(cell) > MAX_CELL:
                message = f"a cell of {len(cell):,} characters; the limit is {MAX_CELL:,}"
                raise line_fault(place, row, message, hint="shorten it", unit="row")
    _check_filled(cells[0], place)
    _check_index(header, cells[0], place)
    return dict(zip(names, cells, strict=True)), range(1, len(cells[0]) + 1)


def _parsed(text: str, place: str, *, has_tabs: bool) -> tuple[dict[str, list[str]], Sequence[int]]:
    """The columns of a text, and the line of each row."""
    rows = _rows(text, "\t" if has_tabs else delimiter_of(text), place)
    _, header = next(rows, (1, []))
    names = _names_of(header, place)
    lines, cells = _filled(rows, names, place)
    _check_index(header, cells[0], place)
    return dict(zip(names, cells, strict=True)), lines


def delimiter_of(text: str) -> str:
    """The one of , ; tab and | that divides the first line into most names."""
    first = text.lstrip("\r\n").partition("\n")[0]
    return max(DELIMITERS, key=lambda sign: len(next(csv.reader([first], delimiter=sign), [])))


def _rows(text: str, delimiter: str, place: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line that it starts at."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            hint = 'quotes inside a quoted cell are doubled: "a ""quoted"" word"'
            raise line_fault(place, start, f"cannot be split: {error}", hint=hint) from None
        if row is None:
            return
        cells = [cell.strip() for cell in row]
        if any(cells) or len(cells) > 1:
            yield start, cells
        start = reader.line_num + 1


def _names_of(header: Sequence[str], place: str) -> list[str]:
    """The names of columns, with that which pandas gives to a first one that has none.

    Raises:
        FaultError: a name is missing, is there twice, or is none.
    """
    names = [*header]
    if len(names) > 1 and not names[0]:
        possible = (INDEX, *(f"{INDEX}.{number}" for number in range(1, len(names))))
        names[0] = next(name for name in possible if name not in names)
    _check_header(names, place)
    return names


def _check_index(header: Sequence[str], cells: Sequence[str], place: str) -> None:
    """Raise a FaultError for a first column without a name which is no index of the rows."""
    if not header[0] and len(set(cells)) < len(cells):
        raise line_fault(place, 1, "column 1 has no name", hint=NAMES)


def _check_header(header: Sequence[str], place: str) -> None:
    if not header:
        raise data_fault("is empty", hint=NAMES, place=place)
    if len(header) > MAX_COLUMNS:
        message = f"has {len(header):,} columns, more than the limit of {MAX_COLUMNS:,}"
        raise data_fault(message, hint="split it", place=place)
    if "" in header:
        raise line_fault(place, 1, f"column {header.index('') + 1} has no name", hint=NAMES)
    name, count = Counter(header).most_common(1)[0]
    if count > 1:
        raise line_fault(place, 1, f"{count} columns are named {show(name)}", hint=NAMES)
    if all(number_of(name) is not None for name in header if not is_index(name)):
        raise line_fault(place, 1, "has numbers instead of the names of columns", hint=NAMES)


def _filled(
    rows: Iterator[tuple[int, list[str]]], header: Sequence[str], place: str
) -> tuple[list[int], list[list[str]]]:
    """The line of each row, and the cells of each column."""
    lines, columns = list[int](), [list[str]() for _ in header]
    faults = list[Fault]()
    for line, row in rows:
        if error := _row_fault(line, row, header, place):
            faults += error.faults
        if len(faults) == MOST_FAULTS:
            break
        if faults:
            continue  # only to find the others
        lines.append(line)
        for column, cell in zip(columns, row, strict=True):
            column.append(cell)
    if faults:
        raise data_faults(faults)
    _check_filled(lines, place)
    return lines, columns


def _row_fault(
    line: int, row: Sequence[str], header: Sequence[str], place: str
) -> FaultError | None:
    """What is wrong with a row; None for nothing."""
    if len(row) != len(header):
        message = f"{len(row)} cells, but the header has {len(header)}"
        hint = "put quotes around cells that contain the delimiter"
        return line_fault(place, line, message, hint=hint)
    longest = max(map(len, row))
    if longest > MAX_CELL:
        message = f"a cell of {longest:,} characters; the limit is {MAX_CELL:,}"
        return line_fault(place, line, message, hint=LONG_CELL)
    return None


def _check_filled(rows: Sequence[object], place: str) -> None:
    if not rows:
        raise data_fault("has no rows below its header", hint="add some", place=place)
