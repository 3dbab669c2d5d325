"""The kinds of columns: one class each, with what is learned of its cells and its features."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from math import pi
from typing import Annotated, Self

import numpy as np
from pydantic import Field

from cnnctl.config.bounds import PositiveFloat
from cnnctl.config.choice import Choice
from cnnctl.data.features import Feature
from cnnctl.data.tables.cells import DATE, NUMBER, Cells, Numbers, days_of, number_of
from cnnctl.errors import config_fault

MAX_VALUES = 1000
RARE = 100
"""Samples from which on a value that occurs once is no category of its own."""
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Column(Choice, family="column_kinds"):
    """A column of a table, as features of a network."""

    @property
    @abstractmethod
    def width(self) -> int:
        """The number of features."""

    def features(self, name: str) -> list[Feature]:
        """The features of a column of this name."""
        return [Feature(f"{name}[{number}]") for number in range(self.width)]

    @abstractmethod
    def learned(self, train: Cells) -> Self:
        """The column with what is missing filled in, from cells of the training split."""

    @abstractmethod
    def encode(self, cells: Cells) -> Numbers:
        """The features, (N, width).

        Raises:
            FaultError: a cell is not of this kind.
        """

    @abstractmethod
    def as_text(self, features: Sequence[float]) -> str:
        """What a cell says, from its features; see `encode`."""


class Measured(Column):
    """A column of numbers of some kind, standardised; missing ones become the mean."""

    mean: Finite | None = None
    """Mean of the training split, of dates in days since 1970 (default: measured)."""
    std: PositiveFloat | None = None
    """Standard deviation of the training split, of dates in days (default: measured)."""
    missing: bool | None = None
    """Whether a feature marks missing cells (default: if the training split has some)."""

    def standard(self, name: str) -> Feature:
        """The feature that is the number itself."""
        return Feature(name, self.mean or 0.0, self.std or 1.0)

    @abstractmethod
    def numbers(self, cells: Cells) -> Numbers:
        """The cells as numbers, (N,); NaN where they are missing."""

    def learned(self, train: Cells) -> Self:
        numbers = self.numbers(train)
        known = numbers[np.isfinite(numbers)]
        mean = self.mean if self.mean is not None else float(known.mean()) if len(known) else 0.0
        std = self.std or (float(np.sqrt(np.mean((known - mean) ** 2))) if len(known) else 1.0)
        missing = len(known) < len(numbers) if self.missing is None else self.missing
        return self.model_copy(update={"mean": mean, "std": std or 1.0, "missing": missing})

    def number_in(self, features: Sequence[float]) -> float | None:
        """The number that was standardised; None if it was missing."""
        if self.missing and features[-1]:
            return None
        return features[0] * (self.std or 1.0) + (self.mean or 0.0)

    def standardised(self, numbers: Numbers) -> Numbers:
        """(N, 1), or (N, 2) with 1 where a number is missing."""
        if self.mean is None or self.std is None:
            message = "the statistics of a column have not been measured"
            raise config_fault(message, hint="read the experiment from its YAML file")
        is_missing = ~np.isfinite(numbers)
        standard = np.where(is_missing, 0, (numbers - self.mean) / self.std)
        return np.stack([standard, is_missing] if self.missing else [standard], axis=1)


class Number(Measured, kind="number"):
    """Numbers, standardised; missing ones are the mean, and a second feature is 1."""

    @property
    def width(self) -> int:
        return 1 + bool(self.missing)

    def features(self, name: str) -> list[Feature]:
        missing = [Feature(f"{name} is missing")] if self.missing else []
        return [self.standard(name), *missing]

    def numbers(self, cells: Cells) -> Numbers:
        return cells.parsed(number_of, NUMBER)

    def encode(self, cells: Cells) -> Numbers:
        return self.standardised(self.numbers(cells))

    def as_text(self, features: Sequence[float]) -> str:
        number = self.number_in(features)
        return "missing" if number is None else f"{number:.6g}"


class Date(Measured, kind="date"):
    """Dates and times of ISO 8601: days, standardised, and month and weekday on circles.

    Missing ones are the mean and the centre of the circles, and a sixth feature is 1.
    """

    @property
    def width(self) -> int:
        return 5 + bool(self.missing)

    def features(self, name: str) -> list[Feature]:
        parts = ("sine of month", "cosine of month", "sine of weekday", "cosine of weekday")
        circles = [Feature(f"{name}, {part}") for part in parts]
        missing = [Feature(f"{name} is missing")] if self.missing else []
        return [self.standard(f"{name}, days since 1970"), *circles, *missing]

    def numbers(self, cells: Cells) -> Numbers:
        return cells.parsed(days_of, DATE)

    def encode(self, cells: Cells) -> Numbers:
        days = self.numbers(cells)
        is_known = np.isfinite(days)
        dates = np.where(is_known, np.floor(days), 0).astype(np.int64)
        months = dates.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
        weekdays = (dates + 3) % 7  # 1970 began on a Thursday
        angles = np.stack([months / 12, weekdays / 7], axis=1) * 2 * pi
        circles = np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(-1, 4)
        standard = self.standardised(days)
        return np.concatenate(
            [standard[:, :1], circles * is_known[:, None], standard[:, 1:]], axis=1
        )

    def as_text(self, features: Sequence[float]) -> str:
        days = self.number_in(features)
        return "missing" if days is None else str(np.datetime64(0, "D") + round(days))


class Category(Column, kind="category"):
    """One feature for each value, 1 where the cell has it, and one for all other values.

    An empty cell is a value like others.
    """

    values: Annotated[list[str], Field(max_length=MAX_VALUES)] = Field(default=[])
    """The values, in order (default: the most frequent ones of the training split)."""

    @property
    def width(self) -> int:
        return len(self.values) + 1

    def features(self, name: str) -> list[Feature]:
        return [Feature(f"{name} = {value}") for value in (*self.values, "other")]

    def learned(self, train: Cells) -> Self:
        if self.values:
            return self
        least = 2 if len(train) >= RARE else 1
        counts = sorted(Counter(train.values).items(), key=lambda item: (-item[1], item[0]))
        values = sorted(value for value, count in counts[:MAX_VALUES] if count >= least)
        return self.model_copy(update={"values": values})

    def encode(self, cells: Cells) -> Numbers:
        numbers = {value: number for number, value in enumerate(self.values)}
        found = [numbers.get(cell, len(self.values)) for cell in cells.values]
        features = np.zeros((len(cells), self.width))
        features[np.arange(len(cells)), found] = 1
        return features

    def as_text(self, features: Sequence[float]) -> str:
        place = max(range(len(features)), key=features.__getitem__)
        return self.values[place] if place < len(self.values) else "another value"


class Ignored(Column, kind="ignored"):
    """No features."""

    reason: Annotated[str, Field(max_length=200)] = ""
    """Why it is ignored, such as `constant`."""

    @property
    def width(self) -> int:
        return 0

    def learned(self, train: Cells) -> Self:
        return self

    def encode(self, cells: Cells) -> Numbers:
        return np.zeros((len(cells), 0))

    def as_text(self, features: Sequence[float]) -> str:
        return ""
