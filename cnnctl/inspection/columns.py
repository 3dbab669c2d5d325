"""The columns of a summary; a new one is an entry in COLUMNS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.filesize import decimal

from cnnctl.config.wording import times
from cnnctl.errors import config_fault, nearest
from cnnctl.inspection.facts import Row, Summary
from cnnctl.inspection.grid import Heading

NONE = "-"


class Column(NamedTuple):
    """A heading, and a function that returns the cell of a row."""

    heading: Heading
    cell: Callable[[Row, Summary], str]


def alike(sides: Sequence[float] | None) -> str:
    """Sides: `5`, or `5x3` if they differ."""
    if not sides:
        return NONE
    return times(sides if len(set(sides)) > 1 else sides[:1])


def count(number: int | None) -> str:
    """A number with thousands separators; a dash for 0 or None."""
    return f"{number:,}" if number else NONE


def memory(size: int) -> str:
    """Bytes in a suitable unit; a dash for 0."""
    return bytes_of(size) if size else NONE


def bytes_of(size: int) -> str:
    """Bytes in a suitable unit."""
    return decimal(size).replace("bytes", "B").replace("1 byte", "1 B")


def layer_name(row: Row, summary: Summary) -> str:
    """The name, indented by depth, and the kind if the name does not contain it."""
    name = row.name.removeprefix(f"{row.block}.")
    kind = "" if name.rpartition(".")[2].rstrip("0123456789") == row.kind else f" ({row.kind})"
    return "  " * row.depth + name + kind


def _multiply_adds(row: Row, summary: Summary) -> str:
    if row.is_counted:
        return count(row.multiply_adds)
    return f"> {row.multiply_adds:,}" if row.multiply_adds else "not counted"


def _share(part: int | None, whole: int) -> str:
    return f"{part / whole:.1%}" if part else NONE


LAYER = Column(Heading("layer", is_number=False), layer_name)
COLUMNS = {
    "kernel": Column(Heading("kernel"), lambda row, _: alike(row.kernel)),
    "input": Column(Heading("input"), lambda row, _: times(row.input)),
    "output": Column(Heading("output"), lambda row, _: times(row.output)),
    "parameters": Column(Heading("parameters"), lambda row, _: count(row.parameters)),
    "trainable": Column(Heading("trainable"), lambda row, _: count(row.trainable)),
    "multiply-adds": Column(Heading("multiply-\nadds"), _multiply_adds),
    "share": Column(
        Heading("share of\nparameters"), lambda row, all_: _share(row.parameters, all_.parameters)
    ),
    "share-multiply-adds": Column(
        Heading("share of\nmultiply-adds"),
        lambda row, all_: _share(row.multiply_adds, all_.multiply_adds),
    ),
    "field": Column(Heading("field"), lambda row, _: alike(row.field.size if row.field else None)),
    "stride": Column(
        Heading("stride"), lambda row, _: alike(row.field.stride if row.field else None)
    ),
    "memory": Column(Heading("activation\nmemory"), lambda row, _: memory(row.activation_bytes)),
    "weights": Column(Heading("weight\nmemory"), lambda row, _: memory(row.weight_bytes)),
    "init": Column(Heading("init", is_number=False), lambda row, _: row.starts or NONE),
    "dtype": Column(Heading("dtype", is_number=False), lambda row, _: row.dtype),
}
"""Columns by their names in `--columns`."""

# weight memory, four bytes per parameter, is only in the totals, so that VGG fits 80 columns
USUAL = ("output", "parameters", "multiply-adds", "field", "stride", "memory")


def choose(wanted: str, summary: Summary) -> list[Column]:
    """The columns in a comma-separated list; the usual ones if it is empty.

    Raises:
        FaultError: there is no column of this name; the hint has similar ones.
    """
    names = [name.strip() for name in wanted.split(",")] if wanted else list(_usual(summary))
    if names == ["all"]:
        names = list(COLUMNS)
    for name in names:
        if name not in COLUMNS:
            hint = nearest(name, list(COLUMNS))
            raise config_fault(f"no such column: {name or '(empty)'}", hint=hint)
    return [LAYER, *(COLUMNS[name] for name in names)]


def _usual(summary: Summary) -> Sequence[str]:
    is_frozen = summary.trainable < summary.parameters
    return ("output", "parameters", "trainable", *USUAL[2:]) if is_frozen else USUAL
