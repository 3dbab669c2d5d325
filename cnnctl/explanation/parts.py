"""The parts of an input that methods change together: columns, cells of a grid, spans of time."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from cnnctl.subject import Subject

CELLS = 7
"""Cells of a grid along each side of a picture: 49 parts."""
SPANS = 48
"""Spans of time of all channels of a signal, about."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The number of the part that each number of an input belongs to."""

    of: Tensor
    """int64, of the shape of a sample."""
    described: str

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.of.max()) + 1

    def spread(self, values: Tensor) -> Tensor:
        """A number for each part (P,) as a map: (H, W), (C, L), or (P,) for vectors."""
        if self.of.ndim == 1:
            return values
        spread = values[self.of]
        return spread[0] if spread.ndim == 3 else spread


def columns(subject: Subject) -> dict[str, int]:
    """The columns of a vector, with the number of features of each."""
    width = subject.shape[0]
    return dict(subject.data.input_names()) or {f"feature {n + 1}": 1 for n in range(width)}


def features(subject: Subject) -> list[str]:
    """The features of a vector: `age`, or `city 1`, `city 2` where a column has several."""
    return [
        f"{name} {number + 1}" if width > 1 else name
        for name, width in columns(subject).items()
        for number in range(width)
    ]


def with_values(subject: Subject, sample: Tensor) -> list[str]:
    """The columns with the values of a sample (F,) in its units: `age = 43`."""
    texts = subject.data.as_text(sample)
    return [f"{name} = {text}" for name, text in zip(columns(subject), texts, strict=True)]


def parts_of(subject: Subject) -> Parts:
    """Columns of a vector, 7 x 7 cells of a picture, spans of the channels of a signal."""
    if len(subject.shape) == 1:
        of = _column_of_each(subject)
        return Parts(of, f"{int(of.max()) + 1} columns")
    if len(subject.shape) == 2:
        channels, length = subject.shape
        spans = _cut(length, max(4, SPANS // channels))
        of = spans + torch.arange(channels)[:, None] * (spans.max() + 1)
        return Parts(of, f"{int(of.max()) + 1} spans of time")
    down, across = (_cut(side, CELLS) for side in subject.shape[1:])
    grid = down[:, None] * (across.max() + 1) + across
    described = f"{int(down.max()) + 1} x {int(across.max()) + 1} cells"
    return Parts(grid.expand(subject.shape).contiguous(), described)


def by_column(subject: Subject, values: Tensor, *, is_signed: bool) -> Tensor:
    """Numbers of features (F,) as numbers of columns: their sum, or without a sign the largest."""
    of = _column_of_each(subject).to(values.device)
    found = torch.zeros(int(of.max()) + 1, device=values.device, dtype=values.dtype)
    return found.scatter_reduce(0, of, values, "sum" if is_signed else "amax")


def _column_of_each(subject: Subject) -> Tensor:
    widths = torch.tensor(list(columns(subject).values()))
    return torch.arange(len(widths)).repeat_interleave(widths)


def _cut(length: int, count: int) -> Tensor:
    """The part of each place along a side, of about so many equal ones."""
    return torch.arange(length) // ceil(length / count)
