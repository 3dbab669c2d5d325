"""Relations between the values of arguments: equal, or a multiple."""

from __future__ import annotations

from cnnctl.export.source.expressions import same
from cnnctl.export.source.parameters import ABSENT, Parameter, Slot, Values

_LARGEST_PART = 8
"""A width is written as a part of another up to this divisor."""


def is_multiple(values: Values, others: Values) -> bool:
    """Whether all are the same multiple of others, or equal."""
    pairs = list(zip(values, others, strict=True))
    numbers = [(a, b) for a, b in pairs if isinstance(a, int) and isinstance(b, int) and b]
    factors = {divmod(one, other) for one, other in numbers}
    return len(numbers) == len(pairs) and len(factors) == 1 and not next(iter(factors))[1]


def agree(values: Values, others: Values) -> bool:
    """Whether values are equal in all blocks that have both."""
    pairs = zip(values, others, strict=True)
    return all(one is ABSENT or same(one, other) for one, other in pairs)


def factor_of(slot: Slot, parameter: Parameter, *, counts_channels: bool) -> str:
    """An argument as a multiple of a parameter; padding as half of a kernel."""
    pairs = list(zip(slot.values, parameter.values, strict=True))
    numbers = [
        (one, other)
        for one, other in pairs
        if isinstance(one, int) and isinstance(other, int) and other > 0
    ]
    if len(numbers) < len(pairs) - sum(one is ABSENT for one, _ in pairs) or not numbers:
        return ""
    is_border = slot.argument.name == "padding" and parameter.name == "kernel_size"
    if is_border and all(one == other // 2 for one, other in numbers):
        return f"{parameter.name} // 2"
    if not (counts_channels and parameter.counts_channels):
        return ""
    factor = numbers[0][0] // numbers[0][1]
    if factor > 1 and all(one == factor * other for one, other in numbers):
        return f"{factor} * {parameter.name}"
    factor = numbers[0][1] // max(1, numbers[0][0])
    is_part = 1 < factor <= _LARGEST_PART and all(one * factor == other for one, other in numbers)
    return f"{parameter.name} // {factor}" if is_part else ""
