"""The scale of an axis: where a value is, and the ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

ROUND = (1, 2, 5, 10)
"""Ticks are one of these times a power of ten apart."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear or logarithmic axis from its lowest to its highest value, which differ."""

    low: float
    high: float
    is_log: bool = False

    @classmethod
    def of(cls, values: Sequence[float], *, is_log: bool = False) -> Scale:
        """The scale that shows all values; around the value if there is only one."""
        low, high = min(values, default=1.0), max(values, default=1.0)
        if low < high:
            return cls(low, high, is_log)
        if is_log:
            return cls(low / 10, high * 10, is_log)
        around = abs(low) / 2 or 1.0
        return cls(low - around, high + around)

    def place(self, value: float) -> float:
        """Where a value is: 0 for the lowest, 1 for the highest."""
        if self.is_log:
            return log10(value / self.low) / log10(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, *, most: int) -> list[float]:
        """At most so many round numbers, or powers of ten where two are in a logarithmic range."""
        if self.is_log and len(powers := self._powers(most)) > 1:
            return powers
        least = (self.high - self.low) / max(most, 1)
        power = floor(log10(least))
        for size in (*ROUND, *(10 * size for size in ROUND)):
            found = self._multiples(size, power)
            if len(found) <= most:
                return found
        return []

    def _multiples(self, size: int, power: int) -> list[float]:
        """The multiples of size · 10^power in the range, rounded: 3 · 0.1 is 0.3 here."""
        step, digits = size * 10.0**power, max(0, -power)
        slack = 1e-9 * (self.high - self.low) / step  # 0.3 / 0.1 is a little below 3
        first, last = ceil(self.low / step - slack), floor(self.high / step + slack)
        return [round(number * step, digits) + 0.0 for number in range(first, last + 1)]

    def _powers(self, most: int) -> list[float]:
        first, last = ceil(log10(self.low) - 1e-9), floor(log10(self.high) + 1e-9)
        stride = max(1, -(-(last - first + 1) // most))
        return [10.0**power for power in range(first, last + 1, stride)]


def labels(values: Sequence[float]) -> list[str]:
    """The numbers of an axis, with as many digits as they need, and as few."""
    if all(value == 0 or 1e-4 <= abs(value) < 1e6 for value in values):
        decimals = max((_decimals(value) for value in values), default=0)
        return [f"{value:,.{decimals}f}" for value in values]
    return [_short(value) for value in values]


def _decimals(value: float) -> int:
    return len(f"{value:.10f}".rstrip("0").partition(".")[2])


def _short(value: float) -> str:
    """`2e-5` instead of `2e-05`."""
    mantissa, e, exponent = f"{value:g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa
