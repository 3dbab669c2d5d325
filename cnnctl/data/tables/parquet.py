"""A Parquet file -> cells as a CSV file of the same table has them, through polars."""

from __future__ import annotations

import io
from types import ModuleType
from typing import TYPE_CHECKING

from cnnctl.config.wording import show
from cnnctl.data.tables.footer import uncompressed_bytes
from cnnctl.errors import FaultError, config_fault, data_fault

if TYPE_CHECKING:
    import polars

SUFFIXES = (".parquet", ".pq")
MAX_CELLS = 2**28
"""Rows times columns, as the file's metadata say."""
MAX_UNPACKED = 2**32
"""Bytes of all columns, as the file's metadata say."""
MAX_TEXT = 2**30
"""Bytes of all cells as text: of a few bytes, a dictionary makes any number of long cells."""
_TEXTS = ("String", "Categorical", "Enum")
_OTHERS = ("Boolean", "Date", "Datetime", "Time", "Null")


def read_cells(content: bytes, place: str) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the cells of each; a null is an empty cell.

    Raises:
        FaultError: polars is not installed, or the file is damaged, too large, or has cells that
            are neither numbers, texts, booleans nor dates.
    """
    pl = _polars()
    _check_unpacked(content, place)
    try:
        frame = pl.scan_parquet(io.BytesIO(content))
        schema = frame.collect_schema()
        rows = frame.select(pl.len()).collect().item()
        _check_size(rows, len(schema), place)
        for name, kind in schema.items():
            _check_kind(name, kind, place)
        cells, text = list[list[str]](), 0
        for at in range(len(schema)):
            column = _column(pl.read_parquet(io.BytesIO(content), columns=[at]))
            text += _bytes_of(column)
            _check_text(text, place)
            found = column.cast(pl.String).fill_null("").to_list()
            cells.append([cell.strip() for cell in found])
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _damaged(str(error).partition("\n")[0], place) from None
    return list(schema), cells


def _polars() -> ModuleType:
    try:
        import polars
    except ImportError:
        hint = "install it with: pip install 'cnnctl[tables]', or save the table as CSV"
        raise config_fault("Parquet files need the polars package", hint=hint) from None
    return polars


def _check_unpacked(content: bytes, place: str) -> None:
    try:
        unpacked = uncompressed_bytes(content)
    except ValueError as error:
        raise _damaged(str(error), place) from None
    if unpacked > MAX_UNPACKED:
        message = f"has {unpacked:,} bytes uncompressed, more than the limit of {MAX_UNPACKED:,}"
        raise data_fault(message, hint="split it, or leave out columns", place=place)


def _check_text(text: int, place: str) -> None:
    if text > MAX_TEXT:
        message = f"has cells of more than {MAX_TEXT:,} bytes in all, as text"
        raise data_fault(message, hint="split it, or leave out columns", place=place)


def _damaged(reason: str, place: str) -> FaultError:
    message = f"is not a Parquet file that can be read: {reason}"
    return data_fault(message, hint="write the file again", place=place)


def _check_size(rows: int, columns: int, place: str) -> None:
    if rows * columns > MAX_CELLS:
        message = f"has {rows:,} rows of {columns:,} cells, more than {MAX_CELLS:,} cells in all"
        raise data_fault(message, hint="split it, or leave out columns", place=place)


def _check_kind(name: str, kind: polars.DataType, place: str) -> None:
    known = str(kind.base_type()) in (*_TEXTS, *_OTHERS)
    if not known and not kind.is_numeric():
        message = f"column {show(name)}: cells of type {kind} cannot be read"
        hint = "write it as columns of numbers, texts, booleans or dates, or leave it out"
        raise data_fault(message, hint=hint, place=place)


def _column(frame: polars.DataFrame) -> polars.Series:
    """The only column, as texts, or categories; numbers in the shortest form that is exact."""
    import polars as pl

    column = frame.to_series()
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.to_string("iso")
    return column if isinstance(column.dtype, (pl.Categorical, pl.Enum)) else column.cast(pl.String)


def _bytes_of(column: polars.Series) -> int:
    """The bytes of all cells, without making those of categories."""
    import polars as pl

    is_text = isinstance(column.dtype, pl.String)
    lengths = column.str.len_bytes() if is_text else column.cat.len_bytes()
    return int(lengths.cast(pl.Int64).sum())  # which has 32 bits otherwise
