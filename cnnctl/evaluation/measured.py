"""The results of one task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cnnctl.metrics import METRICS, Number, Predictions
from cnnctl.target import TargetKind


@dataclass(frozen=True, slots=True)
class Measured:
    """The results of one task."""

    samples: int
    found: Mapping[str, Any]
    """A number or table for each metric, by kind; None if it is undefined."""

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        plain = asdict(self)
        return {"samples": self.samples, **plain["found"]}

    def numbers(self) -> Iterator[tuple[Number, float | None]]:
        """The metrics that are one number, with their values."""
        for kind, value in self.found.items():
            metric = METRICS[kind]()
            if isinstance(metric, Number):
                yield metric, value


def measure(predictions: Predictions, *, kind: TargetKind) -> Measured:
    """Compute all metrics for a target of this kind."""
    metrics = [metric() for metric in METRICS.values() if kind in metric.measures]
    found = {metric.kind: metric.of(predictions) for metric in metrics}
    return Measured(len(predictions.targets), found)
