"""A Parquet file -> cells as a CSV file of the same table has them.

A process of its own reads it (see `parquet_reader`), since polars may crash on a damaged file.
"""

from __future__ import annotations

import json
from subprocess import Popen
from typing import Any

from cnnctl.config.wording import show
from cnnctl.data.child import child, end_of
from cnnctl.data.tables.footer import uncompressed_bytes
from cnnctl.data.texts import nul_fault
from cnnctl.errors import FaultError, config_fault, data_fault
from cnnctl.extras import require

SUFFIXES = (".parquet", ".pq")
READER = "cnnctl.data.tables.parquet_reader"
MAX_UNPACKED = 2**32
"""Bytes of all columns, as the file's metadata say."""
MAX_MEMORY = 3 * MAX_UNPACKED
"""Bytes that the reader may take, for metadata can be wrong: a column, and copies of it as text."""


def read_cells(content: bytes, place: str) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the cells of each; a null is an empty cell.

    Raises:
        FaultError: polars is not installed, or the file is damaged, too large, or has cells that
            are neither numbers, texts, booleans nor dates.
    """
    require("polars", what="Parquet files need", otherwise="save the table as CSV")
    _check_unpacked(content, place)
    with child(READER, str(MAX_MEMORY)) as process:
        _check_started(process)
        try:
            return _read_by(process, content, place)
        except (BrokenPipeError, EOFError):
            cure = "write the file again, or split it if memory ran out"
            raise _damaged(f"polars ended with {end_of(process)}", place, cure) from None


def _check_unpacked(content: bytes, place: str) -> None:
    try:
        unpacked = uncompressed_bytes(content)
    except ValueError as error:
        raise _damaged(str(error), place) from None
    if unpacked > MAX_UNPACKED:
        message = f"has {unpacked:,} bytes uncompressed, more than the limit of {MAX_UNPACKED:,}"
        raise data_fault(message, hint="split it, or leave out columns", place=place)


def _check_started(process: Popen[bytes]) -> None:
    assert process.stdout
    if not process.stdout.readline():
        message = f"Parquet files need polars, which cannot be imported: {end_of(process)}"
        raise config_fault(message, hint="`python -c 'import polars'` shows why")


def _read_by(
    process: Popen[bytes], content: bytes, place: str
) -> tuple[list[str], list[list[str]]]:
    assert process.stdin
    process.stdin.write(content)
    process.stdin.close()
    rows, columns = _answer(process, place)
    for name, kind, is_readable in columns:
        if not is_readable:
            message = f"column {show(name)}: cells of type {kind} cannot be read"
            hint = "write it as columns of numbers, texts, booleans or dates, or leave it out"
            raise data_fault(message, hint=hint, place=place)
    return [name for name, *_ in columns], [_cells(process, rows, place) for _ in columns]


def _cells(process: Popen[bytes], rows: int, place: str) -> list[str]:
    """The cells of the next column."""
    assert process.stdout
    size = _answer(process, place)
    content = process.stdout.read(size)
    if len(content) < size:
        raise EOFError
    return [cell.strip() for cell in content.decode().split("\0")] if rows else []


def _answer(process: Popen[bytes], place: str) -> Any:
    """What the next line says.

    Raises:
        EOFError: the process ended.
        FaultError: the file has a fault.
        RuntimeError: the process failed otherwise, with this traceback.
    """
    assert process.stdout
    line = process.stdout.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    answer: Any = json.loads(line)
    if not isinstance(answer, dict):
        return answer
    if "damage" in answer:
        raise _damaged(answer["damage"], place)
    if "nul" in answer:
        raise nul_fault(place, answer["nul"], unit="row")
    if "fault" in answer:
        raise data_fault(answer["fault"], hint=answer["hint"], place=place)
    raise RuntimeError(answer["traceback"])


def _damaged(reason: str, place: str, cure: str = "write the file again") -> FaultError:
    message = f"is not a Parquet file that can be read: {reason}"
    return data_fault(message, hint=cure, place=place)
