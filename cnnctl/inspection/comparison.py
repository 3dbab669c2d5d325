"""Two networks side by side: their totals, and their layers, with what differs marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.text import Text

from cnnctl.inspection.columns import Column, bytes_of, count, times
from cnnctl.inspection.facts import Row, Summary
from cnnctl.inspection.tables import Report, empty_table, markdown_table, shown, to_json

Sign = Literal["", "~", "-", "+"]
"""Alike, changed, only in the first, only in the second."""
_STYLES = {"": "", "~": "yellow", "-": "red", "+": "green"}


@dataclass(frozen=True, slots=True)
class Pair:
    """Layers that stand beside each other."""

    sign: Sign
    left: Row | None
    right: Row | None


def paired(left: Sequence[Row], right: Sequence[Row]) -> list[Pair]:
    """The layers of two networks, in order, the longest runs of equal ones beside each other."""
    matcher = SequenceMatcher(a=_keys(left), b=_keys(right), autojunk=False)
    pairs: list[Pair] = []
    for tag, i, j, k, m in matcher.get_opcodes():
        for one, other in zip_longest(left[i:j], right[k:m]):
            alike: Sign = "" if tag == "equal" else "~"
            sign: Sign = "-" if other is None else "+" if one is None else alike
            pairs.append(Pair(sign, one, other))
    return pairs


def _keys(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    return [(row.depth, row.kind, row.output, row.parameters, row.multiply_adds) for row in rows]


@dataclass(frozen=True, slots=True)
class Total:
    """A number of the whole network, of both."""

    name: str
    left: str
    right: str
    ratio: str = ""
    """The second as times the first."""


def compared_totals(left: Report, right: Report) -> Iterator[Total]:
    """The numbers of both networks, and how many times the first's the second's are."""
    one, other = left.summary, right.summary
    yield Total("input", times(one.input), times(other.input))
    yield Total("output", times(one.rows[-1].output), times(other.rows[-1].output))
    for name, a, b in _counts(one, other):
        yield Total(name, f"{a:,}", f"{b:,}", _ratio(a, b))
    for name, a, b in _sizes(left, right):
        yield Total(name, bytes_of(a), bytes_of(b), _ratio(a, b))


def _counts(one: Summary, other: Summary) -> Iterator[tuple[str, int, int]]:
    yield "layers", len(one.layers), len(other.layers)
    yield "parameters", one.parameters, other.parameters
    yield "trainable", one.trainable, other.trainable
    yield "multiply-adds", one.multiply_adds, other.multiply_adds


def _sizes(left: Report, right: Report) -> Iterator[tuple[str, int, int]]:
    yield "weights", left.summary.weight_bytes, right.summary.weight_bytes
    if left.memory and right.memory:
        yield "training memory", left.memory.total, right.memory.total


def _ratio(one: int, other: int) -> str:
    return f"{other / one:.2f}x" if one else ""


def render_comparison(
    left: Report, right: Report, *, names: tuple[str, str], depth: int | None = None
) -> RenderableType:
    """Both networks as two tables: totals, then layers; what differs has a sign and a colour."""
    sums = empty_table(_total_columns(names))
    for total in compared_totals(left, right):
        sums.add_row(total.name, total.left, total.right, total.ratio)
    layers = empty_table(_layer_columns(names))
    for pair in paired(shown(left.summary, depth), shown(right.summary, depth)):
        layers.add_row(*_cells(pair), style=_STYLES[pair.sign])
    legend = "~ differs   - only in the first   + only in the second"
    return Group(sums, Text(), layers, Text(), Text(legend))


def comparison_to_markdown(
    left: Report, right: Report, *, names: tuple[str, str], depth: int | None = None
) -> str:
    """The same as two tables of GitHub's Markdown."""
    sums = [
        [total.name, total.left, total.right, total.ratio] for total in compared_totals(left, right)
    ]
    pairs = paired(shown(left.summary, depth), shown(right.summary, depth))
    layers = [_cells(pair) for pair in pairs]
    tables = (
        markdown_table(_total_columns(names), sums),
        markdown_table(_layer_columns(names), layers),
    )
    return "\n\n".join(tables)


def comparison_to_json(left: Report, right: Report) -> dict[str, Any]:
    """Both summaries, and the names of the layers that stand beside each other."""
    pairs = paired(left.summary.rows, right.summary.rows)
    return {
        "left": to_json(left),
        "right": to_json(right),
        "layers": [
            {
                "sign": pair.sign,
                "left": pair.left.name if pair.left else None,
                "right": pair.right.name if pair.right else None,
            }
            for pair in pairs
        ],
    }


def _total_columns(names: tuple[str, str]) -> list[Column]:
    return [_heading("", is_number=False), *map(_heading, (*names, "ratio"))]


def _layer_columns(names: tuple[str, str]) -> list[Column]:
    sides = [
        column
        for name in names
        for column in (_heading(name, is_number=False), _heading("output"), _heading("parameters"))
    ]
    return [_heading("", is_number=False), *sides]


def _heading(text: str, *, is_number: bool = True) -> Column:
    return Column(text, lambda *_: "", is_number)


def _cells(pair: Pair) -> list[str]:
    return [pair.sign, *_side(pair.left), *_side(pair.right)]


def _side(row: Row | None) -> tuple[str, str, str]:
    if row is None:
        return "", "", ""
    name = "  " * row.depth + row.name.removeprefix(f"{row.block}.")
    return name, times(row.output), count(row.parameters)
