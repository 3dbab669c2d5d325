"""A drawing of characters: of braille, with 2 x 4 dots each, or of a sign for each series."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.style import Style
from rich.text import Text

Place = tuple[float, float]
"""From the left and from the bottom, 0 to 1."""
Dot = tuple[int, int]
"""From the left and from the top."""

_BRAILLE = 0x2800
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot of a braille character, by row and column."""
_DASH = 4
"""Dots of a dash, and of the gap after it."""


_BEHIND = Style(dim=True)


@dataclass(slots=True)
class _Cell:
    text: str
    style: Style
    bits: int = 0


class Canvas(ABC):
    """Columns and rows of characters, with lines drawn over one another."""

    across: int
    down: int
    """Dots of a character."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.cells: dict[Dot, _Cell] = {}

    @abstractmethod
    def draw(self, dot: Dot, sign: str, style: Style) -> None:
        """Draw one dot."""

    def upright(self, x: float, sign: str) -> None:
        """A line from top to bottom, behind what is drawn later."""
        column = _nearest(x, self.columns)
        self.cells |= {(column, row): _Cell(sign, _BEHIND) for row in range(self.rows)}

    def level(self, y: float, sign: str) -> None:
        """A line from side to side, behind what is drawn later."""
        row = _nearest(1 - y, self.rows)
        self.cells |= {(column, row): _Cell(sign, _BEHIND) for column in range(self.columns)}

    def points(self, places: Iterable[Place], sign: str, style: Style) -> None:
        """Draw points."""
        for place in places:
            self.draw(self._dot(place), sign, style)

    def line(
        self, places: Sequence[Place], sign: str, style: Style, *, is_dashed: bool = False
    ) -> None:
        """Draw a line through these places."""
        for number, dot in enumerate(_path([self._dot(place) for place in places])):
            if not (is_dashed and self.across > 1 and number // _DASH % 2):
                self.draw(dot, sign, style)

    def row(self, number: int) -> Text:
        """A row of characters, from the top."""
        text = Text()
        for column in range(self.columns):
            cell = self.cells.get((column, number))
            text.append(cell.text if cell else " ", cell.style if cell else None)
        text.rstrip()
        return text

    def _dot(self, place: Place) -> Dot:
        x, y = place
        return _nearest(x, self.columns * self.across), _nearest(1 - y, self.rows * self.down)


class DotCanvas(Canvas):
    """Braille characters, each in the colour of the series that was drawn last."""

    across, down = 2, 4

    def draw(self, dot: Dot, sign: str, style: Style) -> None:
        """Add one dot to its character."""
        x, y = dot
        at = x // self.across, y // self.down
        before = self.cells[at].bits if at in self.cells else 0
        bits = before | _BITS[y % self.down][x % self.across]
        self.cells[at] = _Cell(chr(_BRAILLE + bits), style, bits)


class SignCanvas(Canvas):
    """The sign of the series that was drawn last."""

    across, down = 1, 1

    def draw(self, dot: Dot, sign: str, style: Style) -> None:
        """Replace one character."""
        self.cells[dot] = _Cell(sign, style)


def _nearest(place: float, count: int) -> int:
    return min(max(round(place * (count - 1)), 0), count - 1)


def _path(dots: Sequence[Dot]) -> Iterator[Dot]:
    """The dots of the lines between these, each once in a row."""
    last = None
    for start, end in pairwise([*dots[:1], *dots]):
        for dot in _between(start, end):
            if dot != last:
                yield dot
            last = dot


def _between(start: Dot, end: Dot) -> Iterator[Dot]:
    """The dots from one to another, one per column or row, whichever are more."""
    across, down = end[0] - start[0], end[1] - start[1]
    steps = max(abs(across), abs(down), 1)
    for n in range(steps + 1):
        yield start[0] + round(n * across / steps), start[1] + round(n * down / steps)
