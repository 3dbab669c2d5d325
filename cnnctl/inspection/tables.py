"""A summary as a table, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from cnnctl.inspection.facts import Row, Summary

_NONE = "-"


class Column(NamedTuple):
    """A heading, in one or two lines, and what stands below it."""

    heading: str
    cell: Callable[[Row], str]
    is_number: bool = True


def _layer(row: Row) -> str:
    """The name, indented as deep as it lies, and the kind where the name does not tell it."""
    name = row.name.removeprefix(f"{row.block}.")
    kind = "" if name.rpartition(".")[2].rstrip("0123456789") == row.kind else f" ({row.kind})"
    return "  " * row.depth + name + kind


def _sides(sides: tuple[float, ...]) -> str:
    """`5`, or `5x3` where the sides differ."""
    return "x".join(f"{side:g}" for side in (sides if len(set(sides)) > 1 else sides[:1]))


def _count(number: int | None) -> str:
    return f"{number:,}" if number else _NONE


def _memory(size: int) -> str:
    return decimal(size).replace("bytes", "B") if size else _NONE


# the memory of weights, four bytes a parameter, is in the totals only: so VGG fits 80 columns
_COLUMNS = (
    Column("layer", _layer, is_number=False),
    Column("output", lambda row: "x".join(map(str, row.output))),
    Column("parameters", lambda row: _count(row.parameters)),
    Column("trainable", lambda row: _count(row.trainable)),
    Column("multiply-\nadds", lambda row: _count(row.multiply_adds)),
    Column("field", lambda row: _sides(row.field.size) if row.field else _NONE),
    Column("stride", lambda row: _sides(row.field.stride) if row.field else _NONE),
    Column("activation\nmemory", lambda row: _memory(row.activation_bytes)),
)


def _columns(summary: Summary) -> list[Column]:
    is_frozen = summary.trainable < summary.parameters
    return [column for column in _COLUMNS if column.heading != "trainable" or is_frozen]


def totals(summary: Summary) -> list[str]:
    """The sums, in words."""
    trainable = "all" if summary.trainable == summary.parameters else f"{summary.trainable:,}"
    weights, activations = decimal(summary.weight_bytes), decimal(summary.activation_bytes)
    return [
        f"{summary.parameters:,} parameters, {trainable} trainable",
        f"{summary.multiply_adds:,} multiply-adds for one sample",
        f"memory: {weights} for weights, {activations} for activations "
        f"at batch size {summary.batch_size:,}",
    ]


MOST_ROWS = 60
"""Rows, above which blocks are folded unless a depth is asked for."""


def shown(summary: Summary, depth: int | None) -> list[Row]:
    """The rows down to a depth, from 1; where none is given, as deep as a page has room for."""
    fitting = (
        level
        for level in range(summary.depth + 1, 1, -1)
        if sum(row.depth < level for row in summary.rows) <= MOST_ROWS
    )
    level = depth or next(fitting, 1)
    return [row for row in summary.rows if row.depth < level]


def render(summary: Summary, *, depth: int | None = None) -> RenderableType:
    """A table with a row for every layer and block down to a depth, and the totals below it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    columns = _columns(summary)
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.is_number else "left"
        # where room is short, names are folded and numbers stay whole
        table.add_column(column.heading, justify=justify, no_wrap=column.is_number, overflow="fold")
    for row in shown(summary, depth):
        table.add_row(*(column.cell(row) for column in columns))
    return Group(table, Text(), *map(Text, totals(summary)))


def to_markdown(summary: Summary, *, depth: int | None = None) -> str:
    """The same as a table of GitHub's Markdown, and the totals as a list."""
    columns = _columns(summary)
    lines = [
        [_one_line(column.heading) for column in columns],
        ["--:" if column.is_number else ":--" for column in columns],
        *([column.cell(row) for column in columns] for row in shown(summary, depth)),
    ]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([table, "", *(f"- {total}" for total in totals(summary))])


def _one_line(heading: str) -> str:
    return heading.replace("-\n", "-").replace("\n", " ")


def to_json(summary: Summary) -> dict[str, Any]:
    """The same as plain data; memory in bytes."""
    return {
        "input": list(summary.input),
        "batch_size": summary.batch_size,
        "layers": [_row_to_json(row) for row in summary.rows],
        "parameters": summary.parameters,
        "trainable": summary.trainable,
        "multiply_adds": summary.multiply_adds,
        "weight_bytes": summary.weight_bytes,
        "activation_bytes": summary.activation_bytes,
    }


def _row_to_json(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "depth": row.depth,
        "is_block": row.is_block,
        "output": list(row.output),
        "parameters": row.parameters,
        "trainable": row.trainable,
        "multiply_adds": row.multiply_adds,
        "receptive_field": list(row.field.size) if row.field else None,
        "stride": list(row.field.stride) if row.field else None,
        "weight_bytes": row.weight_bytes,
        "activation_bytes": row.activation_bytes,
    }
