"""Two networks side by side: totals and layers, with differences marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial
from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.text import Text

from cnnctl.config.wording import times
from cnnctl.escaping import visible
from cnnctl.inspection.columns import COLUMNS, bytes_of
from cnnctl.inspection.facts import Row, Summary
from cnnctl.inspection.grid import Grid, Heading
from cnnctl.inspection.tables import Report, shown, to_json

Sign = Literal["", "~", "-", "+"]
"""Signs: equal, changed, only in the first, only in the second."""
_STYLES = {"": "", "~": "yellow", "-": "red", "+": "green"}
_LEGEND = "~ differs   - only in the first   + only in the second"
_COMPARED = ("kernel", "output", "parameters", "multiply_adds")
"""Facts that are compared between layers of the same kind."""
_BESIDE = (COLUMNS["output"], COLUMNS["parameters"])
"""The columns next to the name of a layer."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two layers in the same row; None if there is no counterpart."""

    left: Row | None
    right: Row | None

    @property
    def differs(self) -> list[str]:
        """The facts in which both layers differ."""
        left, right = self.left, self.right
        if left is None or right is None:
            return []
        return [fact for fact in _COMPARED if getattr(left, fact) != getattr(right, fact)]

    @property
    def sign(self) -> Sign:
        """The sign of the pair."""
        if self.left is None:
            return "+"
        if self.right is None:
            return "-"
        return "~" if self.differs else ""


def paired(left: Sequence[Row], right: Sequence[Row]) -> list[Pair]:
    """Pair the layers of two networks, in order; equal layers are paired first.

    Layers between them are paired if kind and depth agree; the rest have no counterpart.
    """
    pairs: list[Pair] = []
    for is_equal, ones, others in _runs(left, right, _facts):
        if is_equal:
            pairs += map(Pair, ones, others)
        else:
            pairs += _paired_by_kind(ones, others)
    return pairs


def _paired_by_kind(left: Sequence[Row], right: Sequence[Row]) -> Iterator[Pair]:
    for is_equal, ones, others in _runs(left, right, _kind):
        if is_equal:
            yield from map(Pair, ones, others)
            continue
        yield from (Pair(row, None) for row in ones)
        yield from (Pair(None, row) for row in others)


def _runs(
    left: Sequence[Row], right: Sequence[Row], key: Callable[[Row], tuple[Any, ...]]
) -> Iterator[tuple[bool, Sequence[Row], Sequence[Row]]]:
    """Runs of rows with equal keys, and the rows between them."""
    matcher = SequenceMatcher(a=[*map(key, left)], b=[*map(key, right)], autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        yield tag == "equal", left[i:j], right[k:m]


def _kind(row: Row) -> tuple[Any, ...]:
    return row.depth, row.kind


def _facts(row: Row) -> tuple[Any, ...]:
    return (*_kind(row), *(getattr(row, fact) for fact in _COMPARED))


def compared_totals(left: Report, right: Report) -> Iterator[tuple[str, str, str, str]]:
    """Each total by name, for both networks, and the ratio of the second to the first."""
    one, other = left.summary, right.summary
    yield "input", times(one.input), times(other.input), ""
    yield "output", times(one.rows[-1].output), times(other.rows[-1].output), ""
    for name, a, b in _counts(one, other):
        yield name, f"{a:,}", f"{b:,}", _ratio(a, b)
    ratio = _ratio(one.multiply_adds, other.multiply_adds)
    is_known = one.is_counted and other.is_counted
    yield "multiply-adds", _work(one), _work(other), ratio if is_known else ""
    for name, a, b in _sizes(left, right):
        yield name, bytes_of(a), bytes_of(b), _ratio(a, b)


def _counts(one: Summary, other: Summary) -> Iterator[tuple[str, int, int]]:
    yield "layers", len(one.layers), len(other.layers)
    yield "parameters", one.parameters, other.parameters
    yield "trainable", one.trainable, other.trainable


def _sizes(left: Report, right: Report) -> Iterator[tuple[str, int, int]]:
    one, other = left.summary, right.summary
    yield "weight memory", one.weight_bytes, other.weight_bytes
    yield "activation memory", one.activation_bytes, other.activation_bytes
    if left.peak_memory and right.peak_memory:
        yield "peak training memory", left.peak_memory, right.peak_memory


def _work(summary: Summary) -> str:
    return f"{summary.multiply_adds:,}" if summary.is_counted else f"> {summary.multiply_adds:,}"


def _ratio(one: int, other: int) -> str:
    return f"{other / one:.2f}x" if one else ""


def render_comparison(
    left: Report, right: Report, *, names: tuple[str, str], depth: int | None = None
) -> RenderableType:
    """Both networks as two tables: totals, then layers; differences have a sign and a colour."""
    sums, layers = _grids(left, right, names, depth)
    return Group(sums, Text(), layers, Text(), Text(_LEGEND))


def comparison_to_markdown(
    left: Report, right: Report, *, names: tuple[str, str], depth: int | None = None
) -> str:
    """The same as two tables in GitHub's Markdown."""
    sums, layers = _grids(left, right, names, depth)
    return f"{sums.to_markdown()}\n\n{layers.to_markdown()}"


def comparison_to_json(left: Report, right: Report) -> dict[str, Any]:
    """Both summaries, and the pairs of layers with their differences."""
    layers = [
        {
            "sign": pair.sign,
            "left": pair.left.name if pair.left else None,
            "right": pair.right.name if pair.right else None,
            "differs": pair.differs,
        }
        for pair in paired(left.summary.rows, right.summary.rows)
    ]
    return {"left": to_json(left), "right": to_json(right), "layers": layers}


def _grids(
    left: Report, right: Report, names: tuple[str, str], depth: int | None
) -> tuple[Grid, Grid]:
    blank, names = Heading("", is_number=False), (visible(names[0]), visible(names[1]))
    totals = [*compared_totals(left, right)]
    pairs = paired(shown(left.summary, depth), shown(right.summary, depth))
    sides = [
        heading
        for name in names
        for heading in (Heading(name, is_number=False), *(column.heading for column in _BESIDE))
    ]
    cells = [_cells(pair, left.summary, right.summary) for pair in pairs]
    styles = [_STYLES[pair.sign] for pair in pairs]
    sums = Grid([blank, *map(Heading, (*names, "ratio"))], totals)
    return sums, Grid([blank, *sides], cells, styles, narrowest=8)


def _cells(pair: Pair, one: Summary, other: Summary) -> list[str]:
    side = partial(_side, with_kernel="kernel" in pair.differs)
    return [pair.sign, *side(pair.left, one), *side(pair.right, other)]


def _side(row: Row | None, summary: Summary, *, with_kernel: bool) -> list[str]:
    """The name and the other columns; with the kernel if that differs."""
    if row is None:
        return [""] * (1 + len(_BESIDE))
    name = "  " * row.depth + row.name.removeprefix(f"{row.block}.")
    kernel = f" ({COLUMNS['kernel'].cell(row, summary)})" if with_kernel else ""
    return [name + kernel, *(column.cell(row, summary) for column in _BESIDE)]
