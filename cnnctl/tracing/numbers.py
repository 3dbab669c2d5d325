"""Numbers and tensors as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import isfinite, prod
from unicodedata import combining

from torch import Tensor

from cnnctl.config.wording import times
from cnnctl.optim.working import Part

MOST_IN_A_ROW = 16
"""Numbers that are shown in full in a row."""
MOST_ROWS = 8
"""Rows of a tensor that are shown in full."""
CORNER = 3
"""Rows and columns of a larger one."""
MOST_PARTS = 8
"""Summands of a loss that are written out."""


@dataclass(frozen=True, slots=True)
class Style:
    """How numbers are written."""

    digits: int = 4

    def number(self, value: float, *, small: bool | None = None) -> str:
        """A number; `small` for scientific notation, by default where digits would be lost."""
        if not isfinite(value):
            return {"nan": "nan", "inf": "inf", "-inf": "-inf"}[str(value)]
        if small is None:
            small = self.is_small([value])
        text = f"{value:.{self.digits - 1}e}" if small else f"{value:.{self.digits}f}"
        return text.removeprefix("-") if not any(c in "123456789" for c in text) else text

    def is_small(self, values: Sequence[float]) -> bool:
        """Whether digits after the point do not do for these numbers: very small or large ones."""
        largest = max((abs(value) for value in values if isfinite(value)), default=0.0)
        return largest != 0 and not 10.0 ** (1 - self.digits) <= largest < 1e5

    def row(self, values: Sequence[float], *, small: bool | None = None) -> list[str]:
        """Numbers of a row, all in the same notation."""
        small = self.is_small(values) if small is None else small
        return [self.number(value, small=small) for value in values]

    def aligned(self, values: Sequence[float], *, small: bool | None = None) -> str:
        """A row in columns."""
        width = self.digits + 4
        return "".join(
            f"{text:>{max(width, len(text) + 1)}}" for text in self.row(values, small=small)
        )

    def sum_of(self, parts: Sequence[Part], divisor: float) -> str:
        """The summands of a loss: `((-0.1970)² + 0.2987²) / 2`."""
        shown = parts if len(parts) <= MOST_PARTS else parts[:CORNER]
        text = ""
        for part in shown:
            one = part.formula.format(*map(self._in_formula, part.numbers))
            is_negative = one.startswith("-")
            sign = " - " if is_negative else " + "
            text = f"{text}{sign}{one.removeprefix('-')}" if text else one
        if len(shown) < len(parts):
            text = f"{text} … ({len(parts):,} terms)"
        if divisor == 1:
            return text
        return f"({text}) / {divisor:g}" if len(parts) > 1 else f"{text} / {divisor:g}"

    def _in_formula(self, value: float) -> str:
        text = self.number(value)
        return f"({text})" if text.startswith("-") else text


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a tensor, or what is said of a large one."""

    index: str
    """`[0]`, to be put behind a name; empty for a vector."""
    values: tuple[float, ...] = ()
    said: str = ""
    place: tuple[int, ...] = ()
    """Where the values begin in the tensor."""


def lines_of(value: Tensor, style: Style) -> Iterator[Line]:
    """A tensor: all of its rows if they are few, or else shape, range, mean, zeros and a corner."""
    if value.ndim == 0:
        yield Line("", (float(value),))
        return
    rows = list(product(*map(range, value.shape[:-1])))
    if len(rows) <= MOST_ROWS and value.shape[-1] <= MOST_IN_A_ROW:
        for at in rows:
            yield Line(index(at), tuple(value[at].tolist()), place=at)
        return
    yield Line("", said=summary(value, style))
    for at in _corner(value.shape):
        yield Line(index(at), tuple(value[at][:CORNER].tolist()), "…", at)


def _corner(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The first rows of the first channel."""
    if len(shape) == 1:
        yield ()
        return
    outer = (0,) * (len(shape) - 2)
    yield from ((*outer, row) for row in range(min(CORNER, shape[-2])))


def is_large(value: Tensor) -> bool:
    """Whether it is summed up, not shown in full."""
    rows = prod(value.shape[:-1])
    return value.ndim > 0 and (rows > MOST_ROWS or value.shape[-1] > MOST_IN_A_ROW)


def index(at: Sequence[int]) -> str:
    """`[0, 2]`; empty for none."""
    return f"[{', '.join(map(str, at))}]" if at else ""


def summary(value: Tensor, style: Style) -> str:
    """Shape, range, mean and share of zeros."""
    shape = times(tuple(value.shape)) if value.ndim > 1 else f"{value.shape[0]:,}"
    low, high, mean = style.row([float(value.min()), float(value.max()), float(value.mean())])
    zeros = 100 * float((value == 0).float().mean())
    said = f"{shape}: {low} to {high}, mean {mean}"
    return f"{said}, {zeros:.0f} % zeros" if zeros else said


def padded(text: str, width: int) -> str:
    """Text filled up with spaces; a combining accent takes no column."""
    return text + " " * (width - sum(not combining(letter) for letter in text))
