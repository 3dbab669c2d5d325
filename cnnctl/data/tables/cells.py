"""What a cell can mean: a number, a moment, or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isfinite, nan

import numpy as np
from numpy.typing import NDArray

from cnnctl.config.wording import show
from cnnctl.data.splits import Positions
from cnnctl.data.texts import Unit, place_in
from cnnctl.errors import MOST_FAULTS, Fault, FaultError, data_fault, data_faults

MISSING = ("", "na", "nan", "null")
"""What stands for a missing number or date, in any case."""
INDEX = "Unnamed: 0"
"""What pandas calls a first column without a name, where it and R write the index of the rows."""
EPOCH = datetime(1970, 1, 1)
_SEPARATED = re.compile(
    r"[-+]?([0-9]{1,3}([,.' \u00a0\u202f][0-9]{3})+([.,][0-9]+)?|[0-9]+,[0-9]+)"
)

_INDEX = re.compile(rf"{INDEX}(\.[0-9]+)*")

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a column, and where they are."""

    name: str
    values: Sequence[str]
    lines: Sequence[int]
    place: str
    cure: str = ""
    """What can be done about a cell that does not fit the others, beside correcting it."""
    unit: Unit = "line"
    """What `lines` counts."""
    places: Sequence[str] = ()
    """The table of each cell, where there are several."""

    def __len__(self) -> int:
        return len(self.values)

    def where(self, at: int) -> str:
        """How messages name the row of the cell at this position."""
        return place_in(self.places[at] if self.places else self.place, self.lines[at], self.unit)

    def fault(self, at: int, message: str, *, hint: str) -> FaultError:
        """A fault in the cell at this position."""
        return data_fault(f"column {show(self.name)}: {message}", hint=hint, place=self.where(at))

    def take(self, positions: Positions) -> Cells:
        """The cells at these positions, in this order."""
        chosen = positions.tolist()
        values, lines = ([of[at] for at in chosen] for of in (self.values, self.lines))
        places = [self.places[at] for at in chosen] if self.places else ()
        return replace(self, values=values, lines=lines, places=places)

    def parsed(self, parse: Parse, wanted: str) -> Numbers:
        """The cells as numbers, (N,); NaN where they are missing.

        Raises:
            FaultError: one is neither missing nor what is wanted.
        """
        numbers, odd = np.empty(len(self)), list[int]()
        for at, cell in enumerate(self.values):
            number = nan if is_missing(cell) else parse(cell)
            if number is None:
                odd.append(at)
            else:
                numbers[at] = number
        if odd:
            raise self.odd(odd, wanted)
        return numbers

    def odd(self, positions: Sequence[int], wanted: str) -> FaultError:
        """The faults of cells that are not what the others of their column are."""
        return self.faults(
            positions,
            lambda cell: f"{show(cell)} is not {wanted}",
            lambda cell: ", ".join(filter(None, (_correction(cell, wanted), self.cure))),
        )

    def faults(
        self,
        positions: Sequence[int],
        message: Callable[[str], str],
        hint: Callable[[str], str],
    ) -> FaultError:
        """The faults in the cells at these positions, as their contents tell."""
        found = list[Fault]()
        for at in positions[:MOST_FAULTS]:
            cell = self.values[at]
            found += self.fault(at, message(cell), hint=hint(cell)).faults
        return data_faults(found)


def _correction(cell: str, wanted: str) -> str:
    is_separator = wanted == NUMBER and is_separated(cell)
    return "write numbers without separators: 1234.5" if is_separator else "correct it"


Parse = Callable[[str], float | None]
NUMBER, DATE = "a number", "a date (ISO 8601)"


def is_missing(cell: str) -> bool:
    """Whether a cell stands for a missing number or date."""
    return len(cell) <= len("null") and cell.lower() in MISSING


def is_index(name: str) -> bool:
    """Whether a column has the name of an index, also of one that was saved several times."""
    return _INDEX.fullmatch(name) is not None


def number_of(cell: str) -> float | None:
    """A finite number; None for anything else."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if isfinite(number) and "_" not in cell else None


def days_of(cell: str) -> float | None:
    """A date or time of ISO 8601 as days since 1970, in UTC unless it names no zone."""
    moment = moment_of(cell)
    return (moment - EPOCH).total_seconds() / 86_400 if moment else None


def moment_of(cell: str) -> datetime | None:
    """A date or time of ISO 8601, in UTC unless it names no zone; None for anything else."""
    try:
        moment = datetime.fromisoformat(cell)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None


def is_separated(cell: str) -> bool:
    """Whether a cell is a number with thousands separators or a decimal comma."""
    return _SEPARATED.fullmatch(cell) is not None
