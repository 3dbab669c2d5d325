"""The epochs of a run, as series of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean
from typing import Any

from cnnctl.metrics import Accuracy
from cnnctl.metrics.naming import parted
from cnnctl.run_files import EpochMetrics


@dataclass(frozen=True, slots=True)
class History:
    """The lines of metrics.jsonl, by epoch."""

    rows: Sequence[EpochMetrics]
    samples: Mapping[str, int] | None = None
    """Samples of `train` and `val`, if known."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def epochs(self) -> list[int]:
        """The number of each epoch, from 1."""
        return [row["epoch"] for row in self.rows]

    @property
    def steps(self) -> int:
        """Steps that were taken."""
        return int(self.rows[-1].get("step", 0)) if self.rows else 0

    def losses(self, split: str) -> list[float]:
        """The loss of every epoch of `train` or `val`; empty if one has none."""
        return self._series([row.get(f"{split}_loss") for row in self.rows])

    def accuracies(self, split: str) -> list[float]:
        """The accuracy of every epoch, the mean over heads; empty if one has none."""
        return self._series([_accuracy(row, split) for row in self.rows])

    def seconds(self, since: int) -> float:
        """Seconds that the epochs after this one took."""
        return sum(float(row.get("seconds", 0)) for row in self.rows if row["epoch"] > since)

    def _series(self, values: Sequence[Any]) -> list[float]:
        known = [float(value) for value in values if value is not None and isfinite(value)]
        return known if len(known) == len(self.rows) else []


def _accuracy(row: EpochMetrics, split: str) -> float | None:
    prefix = f"{split}_"
    found = [
        float(value)
        for name, value in row.items()
        if name.startswith(prefix) and isinstance(parted(name.removeprefix(prefix))[1], Accuracy)
    ]
    return fmean(found) if found else None
