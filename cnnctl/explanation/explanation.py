"""What a method finds: rows of panels, each a sample, a map or both, with facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

Fact = str | float | int | None


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Numbers to show as colours, and the number of the strongest colour."""

    values: Tensor
    """(H, W) for pictures, (C, L) or (1, L) for signals, (F,) for vectors; on the CPU."""
    is_signed: bool
    """Whether its colours are those of -limit to limit, or of 0 to limit."""
    limit: float

    @classmethod
    def of(cls, values: Tensor, *, is_signed: bool) -> HeatMap:
        """A map whose strongest colour is that of its own strongest number."""
        return cls(values, is_signed, float(values.abs().max()))


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture of a row: a sample, a map, or a map over a sample."""

    sample: Tensor | None = None
    """In its original units: (C, H, W) pixels from 0 to 1, (C, L) or (F,); on the CPU."""
    heat: HeatMap | None = None
    captions: tuple[str, ...] = ()
    has_scale: bool = True
    """Whether the scale of a map is drawn below it; one is enough for maps that share it."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side: of a sample, of a layer, of a unit."""

    name: str
    title: str
    panels: Sequence[Panel]
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The rows that a method finds, and what they mean."""

    method: str
    ndim: int
    """3 if samples are pictures (C, H, W), 2 if they are signals (C, L), 1 for vectors."""
    notes: Sequence[str]
    """Lines that say what is shown, of which output and layer, and on what scale."""
    rows: Sequence[Row]
    has_many: bool = False
    """Whether its panels are many, and therefore small on a sheet."""
    columns: Sequence[str] = ()
    """Titles of the panels, if all rows have the same ones."""
    names: Sequence[str] = ()
    """Names of classes or labels that may be in texts, which fonts may lack."""
    features: Sequence[str] = ()
    """What the numbers of a map (F,) belong to."""
    facts: Sequence[tuple[str, Mapping[str, Fact]]] = ()
    """Named facts, where they are not those of the rows."""
    arrays: Mapping[str, Tensor] = field(default_factory=dict)
    """Numbers for the .npz file, by name; (N, …), a row for each row."""

    @property
    def known(self) -> Sequence[tuple[str, Mapping[str, Fact]]]:
        """All facts, each with its name."""
        return self.facts or [(row.name, row.facts) for row in self.rows if row.facts]
