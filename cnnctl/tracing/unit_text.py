"""One output of a layer, term by term, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from cnnctl.tracing.facts import StepFacts
from cnnctl.tracing.numbers import Style
from cnnctl.tracing.units import UnitWorking

MOST_TERMS = 32
"""Terms of a unit that are listed; the others are counted."""


def unit_lines(step: StepFacts, style: Style) -> Iterator[str]:
    """How the output is computed, then what the step makes of its weights."""
    unit = step.unit
    assert unit is not None
    yield f"unit {unit.layer}[{', '.join(map(str, unit.index))}]"
    if unit.inputs.ndim > 1:
        yield from _window(unit, style)
    else:
        yield from _terms(unit, style)
    yield from _results(unit, style)
    yield from _updates(unit, style)


def _terms(unit: UnitWorking, style: Style) -> Iterator[str]:
    """A row for each input."""
    if unit.factors is None:
        return
    factor = "dy/dx" if unit.is_derivative else "W"
    heads = ["", "x", factor, *([] if unit.is_derivative else ["W x"])]
    columns = [style.row(unit.inputs.tolist()), style.row(unit.factors.tolist())]
    if not unit.is_derivative:
        columns.append(style.row((unit.inputs * unit.factors).tolist()))
    places = unit.positions or [(place,) for place in range(len(unit.inputs))]
    labels = [f"[{', '.join(map(str, place))}]" for place in places]
    yield from table([labels, *columns], heads)


def table(columns: Sequence[Sequence[str]], heads: Sequence[str]) -> Iterator[str]:
    """Columns of text, the first to the left and the others to the right."""
    shown = [column[:MOST_TERMS] for column in columns]
    widths = [max(map(len, [head, *column])) for head, column in zip(heads, shown, strict=True)]
    for row in [tuple(heads), *zip(*shown, strict=True)]:
        first, *others = zip(row, widths, strict=True)
        cells = [f"{first[0]:<{first[1]}}", *(f"{text:>{width}}" for text, width in others)]
        yield ("  " + "  ".join(cells)).rstrip()
    if len(columns[0]) > MOST_TERMS:
        yield f"  … {len(columns[0]):,} terms"


def _window(unit: UnitWorking, style: Style) -> Iterator[str]:
    """For each channel the window, the kernel and their product, side by side."""
    first, *corner = unit.corner
    yield f"  window from {' '.join(map(str, corner))} on ({_axes(len(corner))})"
    for channel in range(unit.inputs.shape[0]):
        grids = [("x", unit.inputs[channel])]
        if unit.factors is not None:
            grids.append(("W" if unit.has_weights else "share", unit.factors[channel]))
            grids.append(("product", unit.inputs[channel] * unit.factors[channel]))
        yield f"  channel {first + channel}"
        yield from _side_by_side(grids, style)


def _axes(dims: int) -> str:
    return "row, column" if dims == 2 else "position"


def _side_by_side(grids: Sequence[tuple[str, Tensor]], style: Style) -> Iterator[str]:
    blocks = list[list[str]]()
    for head, grid in grids:
        flat = grid if grid.ndim == 2 else grid[None]
        small = style.is_small(flat.flatten().tolist())
        values = [
            [_or_padding(value, style, small=small) for value in row] for row in flat.tolist()
        ]
        width = max(len(text) for row in values for text in row)
        rows = [" ".join(f"{text:>{width}}" for text in row) for row in values]
        blocks.append([f"{head:<{len(rows[0])}}", *rows])
    for line in zip(*blocks, strict=True):
        yield "    " + "    ".join(line).rstrip()


def _or_padding(value: float, style: Style, *, small: bool) -> str:
    return "pad" if value == float("-inf") else style.number(value, small=small)


def _results(unit: UnitWorking, style: Style) -> Iterator[str]:
    if unit.winner:
        at = ", ".join(map(str, unit.winner))
        yield f"  maximum          {style.number(unit.output)} at [{at}], which takes the gradient"
    elif unit.factors is not None and not unit.is_derivative:
        products = unit.inputs * unit.factors
        if unit.inputs.ndim > 1 and unit.inputs.shape[0] > 1:
            sums = style.row(products.flatten(1).sum(1).tolist()[:MOST_TERMS])
            yield f"  sums by channel  {' '.join(sums)}"
        yield f"  sum of products  {style.number(float(products.sum()))}"
        if unit.bias is not None:
            yield f"  b                {style.number(unit.bias)}"
    yield f"  output           {style.number(unit.output)}"
    if unit.delta is not None:
        yield f"  delta            {style.number(unit.delta)}"


def _updates(unit: UnitWorking, style: Style) -> Iterator[str]:
    """The gradient of each weight, and the weight before and after."""
    for letter, (gradient, before, after) in unit.weight_rows.items():
        flat = [tensor.flatten() for tensor in (gradient, before, after)]
        places = list(map(tuple, torch.nonzero(torch.ones_like(gradient)).tolist()))
        labels = [f"[{', '.join(map(str, place))}]" if place else letter for place in places]
        columns = [style.row(tensor.tolist()) for tensor in flat]
        yield from table([labels, *columns], [letter, f"d{letter}", "before", "after"])
