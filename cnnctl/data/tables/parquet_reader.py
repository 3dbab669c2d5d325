"""Reads a Parquet file with polars, as a process of its own: standard input to standard output.

It answers with an empty line once polars is imported, then reads the file. Then come, as a line of
JSON each, the rows and columns, and of each column the number of bytes that follow: its cells in
UTF-8, with NUL characters between them. A line with an object says what is wrong, and is the last.
"""

from __future__ import annotations

import io
import json
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import polars as pl

from cnnctl.errors import FaultError, data_fault

if sys.platform != "win32":
    import resource

MAX_CELLS = 2**28
"""Rows times columns, as the file's metadata say."""
MAX_TEXT = 2**30
"""Bytes of all cells as text: of a few bytes, a dictionary makes any number of long cells."""
_TEXTS = (pl.String, pl.Categorical, pl.Enum)
_OTHERS = (pl.Boolean, pl.Date, pl.Datetime, pl.Time, pl.Null)


class _NulError(Exception):
    """A cell has a NUL character; the argument is its row, from 1."""


def answers(content: bytes) -> Iterator[bytes]:
    """What to answer about a file, see above."""
    try:
        yield from _read(content)
    except FaultError as error:
        yield _line({"fault": error.faults[0].message, "hint": error.faults[0].hint})
    except _NulError as error:
        yield _line({"nul": error.args[0]})
    except (pl.exceptions.PolarsError, OSError) as error:
        yield _line({"damage": str(error).partition("\n")[0]})
    except pl.exceptions.PanicException as error:
        yield _line({"damage": f"polars failed: {error}".partition("\n")[0]})
    except Exception:  # a bug of ours, which the process that asked raises
        yield _line({"traceback": traceback.format_exc()})


def _line(answer: Any) -> bytes:
    return f"{json.dumps(answer)}\n".encode()


def _read(content: bytes) -> Iterator[bytes]:
    frame = pl.scan_parquet(io.BytesIO(content))
    schema = frame.collect_schema()
    rows = frame.select(pl.len()).collect().item()
    _check_size(rows, len(schema))
    columns = [(name, str(kind), _is_readable(kind)) for name, kind in schema.items()]
    yield _line([rows, columns])
    if not all(is_readable for *_, is_readable in columns):
        return
    text = 0
    for at in range(len(schema)):
        column = _column(pl.read_parquet(io.BytesIO(content), columns=[at]))
        text += _bytes_of(column)
        _check_text(text)
        cells = _joined(column, rows)
        yield _line(len(cells))
        yield cells


def _check_size(rows: int, columns: int) -> None:
    if rows * columns > MAX_CELLS:
        message = f"has {rows:,} rows of {columns:,} cells, more than {MAX_CELLS:,} cells in all"
        raise data_fault(message, hint="split it, or leave out columns")


def _check_text(text: int) -> None:
    if text > MAX_TEXT:
        message = f"has cells of more than {MAX_TEXT:,} bytes in all, as text"
        raise data_fault(message, hint="split it, or leave out columns")


def _is_readable(kind: pl.DataType) -> bool:
    return kind.is_numeric() or isinstance(kind, (*_TEXTS, *_OTHERS))


def _column(frame: pl.DataFrame) -> pl.Series:
    """The only column, as texts, or categories; numbers in the shortest form that is exact."""
    column = frame.to_series()
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.to_string("iso")
    return column if isinstance(column.dtype, (pl.Categorical, pl.Enum)) else column.cast(pl.String)


def _bytes_of(column: pl.Series) -> int:
    """The bytes of all cells, without making those of categories."""
    is_text = isinstance(column.dtype, pl.String)
    lengths = column.str.len_bytes() if is_text else column.cat.len_bytes()
    return int(lengths.cast(pl.Int64).sum())  # which has 32 bits otherwise


def _joined(column: pl.Series, rows: int) -> bytes:
    """The cells, with NUL characters between them; a null is empty."""
    cells = column.cast(pl.String).fill_null("")
    if len(cells) != rows:
        raise pl.exceptions.ShapeError(f"a column has {len(cells):,} of {rows:,} rows")
    if (has_nul := cells.str.contains("\0", literal=True)).any():
        raise _NulError(int(has_nul.arg_true()[0]) + 1)
    return bytes(cells.str.join("\0").cast(pl.Binary).item()) if rows else b""


def main(most_memory: int) -> None:
    """Read the file on standard input, in at most so many bytes of memory."""
    if sys.platform != "win32":
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        if hard == resource.RLIM_INFINITY or hard > most_memory:
            resource.setrlimit(resource.RLIMIT_DATA, (most_memory, hard))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who wants the answers ends this process
    output = sys.stdout.buffer
    output.write(b"\n")
    output.flush()
    for answer in answers(sys.stdin.buffer.read()):
        output.write(answer)


if __name__ == "__main__":
    main(int(sys.argv[1]))
