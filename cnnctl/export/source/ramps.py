"""Numbers that rise evenly, such as the rates of stochastic depth, as a formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnctl.export.source.expressions import Name

_MOST_STEPS = 200
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Ramp:
    """Values as a formula with n."""

    text: Name
    numbers: str
    """The numbers that n runs over."""


def ramp_of(values: Sequence[object], *, digits: int = 6) -> Ramp | None:
    """Rounded shares of a total, such as 0.1 * n / 17, as a formula; None for other values."""
    numbers = [value for value in values if isinstance(value, float)]
    if len(numbers) < len(values) or len(numbers) < _FEWEST or numbers[0] >= numbers[-1]:
        return None
    step = (numbers[-1] - numbers[0]) / (len(numbers) - 1)
    first = round(numbers[0] / step)
    for steps in range(1, _MOST_STEPS):
        total = round(step * steps, 2)
        shares = [round(total * (first + n) / steps, digits) for n in range(len(numbers))]
        if shares == numbers:
            bounds = f"{first}, {first + len(numbers)}" if first else str(len(numbers))
            return Ramp(Name(f"round({total} * n / {steps}, {digits})"), f"range({bounds})")
    return None
