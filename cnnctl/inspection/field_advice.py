"""Advice on convolutions that do not see the whole input."""

from __future__ import annotations

from cnnctl.config.wording import times
from cnnctl.inspection.facts import Row, Summary


def last_convolution(summary: Summary) -> Row | None:
    """The convolution with the largest receptive field; None if unknown."""
    convolutions = [row for row in summary.layers if row.kernel and row.multiply_adds]
    if not convolutions or convolutions[-1].field is None:
        return None  # its receptive field is unknown
    return max(
        (row for row in convolutions if row.field),
        key=lambda row: row.field.size if row.field else (),
    )


def advice_on_field(summary: Summary) -> str | None:
    """A warning if the receptive field of the last convolution is smaller than the input."""
    last = last_convolution(summary)
    if last is None or last.field is None:
        return None
    sides = summary.input[1:]
    if all(seen >= side for seen, side in zip(last.field.size, sides, strict=True)):
        return None
    seen, unit = times(last.field.size), "pixels" if len(sides) > 1 else "values"
    return (
        f"the last convolution, {last.name}, sees only {seen} of {times(sides)} {unit}; "
        "add pooling, strides or layers to enlarge its receptive field"
    )
